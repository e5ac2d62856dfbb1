// Where cards are: as Python remembers them, as the mouse or the keys move them, or as a layout puts them.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { fitAll, inside } from "./fit.js";
import { isTall, layoutByDagre, layoutByElk, placeBelow } from "./layout.js";
import { wrapRanks } from "./ranks.js";

const NUDGE_SETTLES_MS = 400;
// More tables than these are laid out by springs where layers would be tall.
const FEW_TABLES = 24;

function byId(places, names) {
  const known = Object.entries(places).filter(([name]) => names.has(name));
  return Object.fromEntries(known.map(([name, place]) => [names.get(name), place]));
}

export function usePlaces({ data, cards, links, queue, engine, flow, size }) {
  const names = useMemo(() => new Map(cards.map((card) => [card.table.name, card.id])), [cards]);
  const [at, setAt] = useState(() => byId(data.places, names));
  const [selected, setSelected] = useState(() => new Set());
  const now = useRef(null);
  now.current = { at, cards, links, selected };
  const nudged = useRef(new Set());
  const nudging = useRef(null);

  const save = useCallback(
    (places, quiet = false) => {
      const byName = {};
      for (const card of now.current.cards) if (places[card.id]) byName[card.table.name] = places[card.id];
      queue.push({ op: "move", places: byName, quiet });
    },
    [queue],
  );

  // Python's places win when they change there (undo, another tab) and nothing is on its way from here.
  const told = JSON.stringify(data.places);
  const known = useRef(told);
  useEffect(() => {
    if (known.current === told) return;
    const moving = queue.pending().some((op) => op.op === "move");
    if (moving) return;
    known.current = told;
    setAt((before) => ({ ...before, ...byId(data.places, names) }));
  });

  // Cards without a place get one: all by a layout when none has one, else below the others.
  const arranged = useRef(false);
  useEffect(() => {
    const given = { ...byId(data.places, names), ...at };
    const missing = cards.filter((card) => !given[card.id]);
    if (!missing.length || arranged.current) return;
    arranged.current = true;
    if (missing.length < cards.length) {
      const added = placeBelow(cards, given);
      setAt({ ...given, ...added });
      save(added, true);
      arranged.current = false;
      return;
    }
    arrange(true).finally(() => {
      arranged.current = false;
    });
  });

  async function arrange(quiet) {
    const { cards: these, links: lines } = now.current;
    let places = layoutByDagre(these, lines);
    if (these.length <= FEW_TABLES) places = wrapRanks(these, places, inside(size()), lines);
    if (quiet) setAt(places);
    if (isTall(these, places)) {
      const Elk = await engine.elk();
      if (Elk) places = await layoutByElk(Elk, these, lines);
    }
    setAt(places);
    save(places, quiet);
    fitAll(flow, these, places, size(), quiet ? 0 : 300, lines);
    return places;
  }

  const change = useCallback((changes) => {
    const moved = changes.filter((one) => one.type === "position" && one.position);
    if (moved.length) {
      setAt((before) => {
        const after = { ...before };
        for (const { id, position } of moved) after[id] = [Math.round(position.x), Math.round(position.y)];
        return after;
      });
    }
    const chosen = changes.filter((one) => one.type === "select");
    if (chosen.length) {
      setSelected((before) => {
        const after = new Set(before);
        for (const one of chosen) (one.selected ? after.add(one.id) : after.delete(one.id));
        return after;
      });
    }
  }, []);

  const dropped = useCallback(
    (_, second, third) => {
      const nodes = third ?? (Array.isArray(second) ? second : [second]);
      const places = {};
      for (const node of nodes) places[node.id] = [Math.round(node.position.x), Math.round(node.position.y)];
      save(places);
    },
    [save],
  );

  /** Move a card, or all that are selected with it, by the keyboard; kept once the keys rest. */
  const nudge = useCallback(
    (id, dx, dy) => {
      const { selected: chosen } = now.current;
      const ids = chosen.has(id) ? [...chosen] : [id];
      setAt((before) => {
        const after = { ...before };
        for (const one of ids) if (before[one]) after[one] = [before[one][0] + dx, before[one][1] + dy];
        return after;
      });
      ids.forEach((one) => nudged.current.add(one));
      clearTimeout(nudging.current);
      nudging.current = setTimeout(() => {
        const { at: places } = now.current;
        save(Object.fromEntries([...nudged.current].map((one) => [one, places[one]])));
        nudged.current = new Set();
      }, NUDGE_SETTLES_MS);
    },
    [save],
  );

  return { at, selected, setSelected, change, dropped, nudge, arrange: () => arrange(false) };
}
