// Picking columns: by mouse or keyboard, one or several, and what a second pick makes of them.

import { useMemo, useRef, useState } from "react";
import { keyText } from "./Relation.jsx";
import { refusal, targetColumns } from "./rules.js";
import { bareKey } from "./view.js";

export function usePicking({ view, queue, setNotice, setChosen }) {
  // picked: the referring columns; targets: columns of the parent collected so far; widening: a key to add a pair to.
  const [picked, setPicked] = useState(null);
  const [targets, setTargets] = useState(null);
  const [widening, setWidening] = useState(null);
  const now = useRef(null);
  now.current = { view, picked, targets, widening };

  const made = useMemo(() => {
    const tableOf = (id) => now.current.view.tables[Number(id.slice(1))];
    const columnOf = (table, handle) => (handle === "head" ? null : table.columns[Number(handle.slice(1))][0]);

    function clear() {
      setPicked(null);
      setTargets(null);
      setWidening(null);
    }

    function add(key) {
      const reason = refusal(now.current.view, key);
      if (reason) {
        setNotice({ text: reason, bad: true });
        return;
      }
      queue.push({ op: "add_key", key });
      setNotice({ text: `Added: ${keyText(key)}` });
      clear();
    }

    function widen(table, column) {
      const { widening: key, picked: from } = now.current;
      if (!from) {
        if (table !== key.child) setNotice({ text: `First a column of ${key.child}, then one of ${key.parent}.` });
        else setPicked({ table, columns: [column] });
        return;
      }
      if (table !== key.parent) {
        setNotice({ text: `Now a column of ${key.parent}.` });
        return;
      }
      const by = {
        ...bareKey(key),
        child_columns: [...key.child_columns, ...from.columns],
        parent_columns: [...key.parent_columns, column],
      };
      replace(key, by);
      clear();
    }

    function replace(key, by) {
      const reason = refusal(now.current.view, by, key);
      if (reason) {
        setNotice({ text: reason, bad: true });
        return;
      }
      queue.push({ op: "replace_key", key: bareKey(key), by });
      setNotice({ text: `Changed to: ${keyText(by)}` });
      setChosen(null);
    }

    /** The key that pointing at this column, or card, would make; null where more columns are needed. */
    function keyTo(from, table, column) {
      const parent = now.current.view.tables.find((other) => other.name === table);
      const columns = targetColumns(parent, from.columns, column);
      if (!columns) return null;
      return { child: from.table, child_columns: from.columns, parent: table, parent_columns: columns };
    }

    function collect(table, column) {
      const { picked: from, targets: so_far } = now.current;
      const columns = so_far?.table === table ? [...so_far.columns, column] : [column];
      if (columns.length < from.columns.length) {
        setTargets({ table, columns });
        return;
      }
      add({ child: from.table, child_columns: from.columns, parent: table, parent_columns: columns });
    }

    function point(table, column, several) {
      const { picked: from, widening: widened, targets: so_far } = now.current;
      if (widened) return widen(table, column);
      if (several && (!from || from.table === table)) return toggle(table, column);
      if (!from) return setPicked({ table, columns: [column] });
      if (from.table === table && from.columns.includes(column)) return clear();
      const key = so_far ? null : keyTo(from, table, column);
      return key ? add(key) : collect(table, column);
    }

    function toggle(table, column) {
      const had = now.current.picked?.columns ?? [];
      const columns = had.includes(column) ? had.filter((other) => other !== column) : [...had, column];
      setTargets(null);
      setPicked(columns.length ? { table, columns } : null);
    }

    /** What a drag from one handle to another would make: the picked columns go along where the drag starts at one. */
    function dragged(source, sourceHandle, target, targetHandle) {
      const child = tableOf(source);
      const parent = tableOf(target);
      const column = columnOf(child, sourceHandle);
      const { picked: from } = now.current;
      const along = from?.table === child.name && from.columns.includes(column) ? from.columns : [column];
      return keyTo({ table: child.name, columns: along }, parent.name, columnOf(parent, targetHandle));
    }

    function reason(source, sourceHandle, target, targetHandle) {
      const key = dragged(source, sourceHandle, target, targetHandle);
      if (!key) return "Its primary key does not have as many columns; drop on a column, or click them one by one.";
      return refusal(now.current.view, key);
    }

    const ends = (c) => [c.source, c.sourceHandle, c.target, c.targetHandle];
    return {
      clear,
      replace,
      startWidening(key) {
        setTargets(null);
        setPicked(null);
        setWidening(key);
      },
      isValid: (connection) => reason(...ends(connection)) === null,
      connect: (connection) => add(dragged(...ends(connection))),
      connectEnd(_, { fromNode, fromHandle, toNode, toHandle, isValid }) {
        if (!toHandle || isValid) return;
        if (fromNode.id === toNode.id && fromHandle.id === toHandle.id) return;
        setNotice({ text: reason(fromNode.id, fromHandle.id, toNode.id, toHandle.id), bad: true });
      },
      actions: {
        point,
        reason,
        accept: (key) => queue.push({ op: "add_key", key: bareKey(key) }),
        decline: (key) => queue.push({ op: "decline", key: bareKey(key) }),
        fold: (table, folded) => queue.push({ op: "fold", tables: { [table]: folded } }),
      },
    };
  }, [queue, setNotice, setChosen]);

  return useMemo(() => ({ ...made, picked, targets, widening }), [made, picked, targets, widening]);
}
