// All that the mouse does, by keys: cards and relations are tab stops, columns are walked with the arrows.

import { useEffect, useMemo, useRef } from "react";
import { cardsOf } from "./graph.js";
import { HEAD, ROW, WIDTH } from "./geometry.js";
import { bareKey } from "./view.js";

const STEP = 12;
const FAR = 60;
const MOVES_MS = 200;
const PATIENCE_MS = 3000;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function useKeys({ view, cards, queue, picking, places, root, flow, setChosen, setFound, chosen }) {
  const now = useRef(null);
  now.current = { view, cards, picking, places, chosen };

  const made = useMemo(() => {
    const cardElement = (id) => root.querySelector(`[data-card="${id}"]`);
    const rowsOf = (id) => [...(cardElement(id)?.querySelectorAll("[data-row]") ?? [])];

    function remove(key) {
      queue.push({ op: "remove_key", key: bareKey(key) });
      setChosen(null);
    }

    /** Bring a table, or one of its columns, to the middle and give it the focus. */
    function jump(table, column = null) {
      if (column !== null) {
        const card = now.current.cards.find((one) => one.table.name === table);
        const hidden = !card.shown.some((index) => card.table.columns[index][0] === column);
        if (hidden) queue.push({ op: "fold", tables: { [table]: false } });
      }
      setFound({ table, column });
      setTimeout(() => {
        const card = cardsOf(now.current.view).find((one) => one.table.name === table);
        const [x, y] = now.current.places.at[card.id];
        const row = card.shown.findIndex((index) => card.table.columns[index][0] === column);
        const down = row < 0 ? Math.min(card.height / 2, 160) : HEAD + row * ROW;
        const zoom = Math.max(flow.getZoom(), 0.8);
        flow.setCenter(x + WIDTH / 2, y + down, { zoom, duration: MOVES_MS });
        focusOnceThere(() => (row < 0 ? cardElement(card.id) : rowsOf(card.id)[row]), Date.now() + PATIENCE_MS);
      }, 30);
    }

    /** Cards outside the window, and columns seen from afar, are only made on the way to them. */
    function focusOnceThere(find, until) {
      setTimeout(() => {
        const element = find();
        if (element) element.focus({ preventScroll: true });
        else if (Date.now() < until) focusOnceThere(find, until);
      }, MOVES_MS);
    }

    /** Go into a card's columns; nearer first where they cannot be read. */
    function enter(id) {
      const first = rowsOf(id)[0];
      if (first) return first.focus({ preventScroll: true });
      const { table, shown } = now.current.cards.find((one) => one.id === id);
      if (shown.length) jump(table.name, table.columns[shown[0]][0]);
    }

    function cardKey(event, id) {
      if (event.target !== event.currentTarget) return;
      const arrow = ARROWS[event.key];
      if (arrow) {
        const step = event.shiftKey ? FAR : STEP;
        now.current.places.nudge(id, arrow[0] * step, arrow[1] * step);
      } else if (event.key === "Enter") {
        enter(id);
      } else if (event.key === " ") {
        now.current.places.change([{ type: "select", id, selected: !now.current.places.selected.has(id) }]);
      } else if (event.key === "f") {
        const card = now.current.cards.find((one) => one.id === id);
        queue.push({ op: "fold", tables: { [card.table.name]: card.shown.length === card.table.columns.length } });
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    function rowKey(event, table, column) {
      const row = event.currentTarget;
      const { view: seen, picking: pick } = now.current;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const rows = [...row.parentElement.querySelectorAll("[data-row]")];
        rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)]?.focus({ preventScroll: true });
      } else if (event.key === "Enter" || event.key === " ") {
        pick.actions.point(table, column, event.ctrlKey || event.metaKey || event.shiftKey);
      } else if (event.key === "ArrowLeft" || (event.key === "Escape" && !pick.picked)) {
        row.parentElement.focus({ preventScroll: true });
      } else if (event.key === "p" || event.key === "t") {
        mark(event.key === "p" ? "key" : "time", table, pick.picked?.table === table ? pick.picked.columns : [column]);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        const mine = seen.keys.filter((key) => key.child === table && key.child_columns.includes(column));
        if (mine.length) remove(mine.at(-1));
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    /** Make columns the primary key, or the first the time column; the same again takes it back. */
    function mark(what, table, columns) {
      const { key, time } = now.current.view.tables.find((one) => one.name === table);
      if (what === "key") {
        const same = key.length === columns.length && key.every((column, place) => column === columns[place]);
        queue.push({ op: "set_primary_key", table, columns: same ? [] : columns });
      } else {
        queue.push({ op: "set_time", table, column: time === columns[0] ? null : columns[0] });
      }
      now.current.picking.clear();
    }

    function edgeKey(event, relation, suggested) {
      if (event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      event.stopPropagation();
      if (suggested) queue.push({ op: "decline", key: bareKey(relation) });
      else remove(relation);
    }

    return { jump, cardKey, rowKey, edgeKey, mark, remove };
  }, [queue, root, flow, setChosen, setFound]);

  useEffect(() => {
    function pressed(event) {
      const from = event.composedPath()[0];
      const writing = from.matches?.("input, textarea, select, [contenteditable='true']");
      if (writing || event.defaultPrevented) return;
      const { chosen: id, view: seen, picking: pick } = now.current;
      const held = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (held && (key === "z" || key === "y")) {
        queue.push({ op: key === "y" || event.shiftKey ? "redo" : "undo" });
      } else if (event.key === "Escape") {
        pick.clear();
        setChosen(null);
        setFound(null);
        return;
      } else if ((event.key === "Delete" || event.key === "Backspace") && id) {
        const relation = seen.keys.find((one) => JSON.stringify([one.child, one.child_columns, one.parent, one.parent_columns]) === id);
        if (!relation) return;
        made.remove(relation);
      } else if (event.key === "/" && root.contains(from)) {
        root.querySelector(".search input")?.focus();
      } else {
        return;
      }
      event.preventDefault();
    }
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [made, queue, root, setChosen, setFound]);

  return made;
}
