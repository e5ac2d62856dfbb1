// Which columns may refer to which; the reason where they may not. Python holds the same rules and has the last word.

import { keyId } from "./view.js";

const end = (table, columns) => (columns.length === 1 ? `${table}.${columns[0]}` : `${table}(${columns.join(", ")})`);

function holds(table, column) {
  return table.columns.find(([name]) => name === column)?.[2] ?? null;
}

/** Why these columns cannot refer to those, in words; null where they can. */
export function refusal(view, key, replaced = null) {
  const child = view.tables.find((table) => table.name === key.child);
  const parent = view.tables.find((table) => table.name === key.parent);
  if (!child || !parent) return "This table is not there any more.";
  const { child_columns: mine, parent_columns: theirs } = key;
  if (!mine.length || mine.length !== theirs.length) {
    return `Choose as many columns in ${key.parent} as in ${key.child}.`;
  }
  if (new Set(mine).size < mine.length || new Set(theirs).size < theirs.length) {
    return "A key names every column once.";
  }
  if (key.child === key.parent && mine.some((column, at) => column === theirs[at])) {
    return `${end(key.child, mine)} cannot refer to itself.`;
  }
  const ids = view.keys.map(keyId).filter((id) => !replaced || id !== keyId(replaced));
  if (ids.includes(keyId(key))) return "This relation is already there.";
  for (let at = 0; at < mine.length; at += 1) {
    const a = holds(child, mine[at]);
    const b = holds(parent, theirs[at]);
    if (a && b && a !== b && [a, b].includes("numbers")) {
      return `${end(key.child, [mine[at]])} holds ${a} and ${end(key.parent, [theirs[at]])} holds ${b}: nothing can match.`;
    }
  }
  return null;
}

/** The parent's columns for the child's, when one of them, or the whole card (null), is pointed at. */
export function targetColumns(parent, columns, pointed) {
  if (columns.length === 1) return pointed ? [pointed] : parent.key.length === 1 ? parent.key : null;
  const inKey = pointed === null || parent.key.includes(pointed);
  if (!inKey || parent.key.length !== columns.length) return null;
  const left = parent.key.filter((column) => !columns.includes(column));
  return columns.map((column) => (parent.key.includes(column) ? column : left.shift()));
}
