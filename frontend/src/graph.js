// From the view to React Flow's nodes and edges; what has not changed keeps its object, so that it is not drawn anew.

import { cardHeight, HEAD, keyColumns, ROW, rowMiddle, shownColumns, WIDTH } from "./geometry.js";
import { keyId } from "./view.js";

const MANY_TABLES = 24;
const MANY_COLUMNS = 16;

export function isFolded(view, table) {
  const said = view.folded[table.name];
  return said ?? (view.tables.length > MANY_TABLES || table.columns.length > MANY_COLUMNS);
}

/** A card per table: {id, table, shown, height, foreign}; ids count, because a name can be anything. */
export function cardsOf(view, picked = null) {
  const keys = keyColumns(view);
  return view.tables.map((table, at) => {
    const kept = new Set(keys.get(table.name));
    if (picked?.table === table.name) picked.columns.forEach((column) => kept.add(column));
    const shown = shownColumns(table, isFolded(view, table), kept);
    const foreign = view.keys.filter((key) => key.child === table.name).flatMap((key) => key.child_columns);
    return { id: `t${at}`, table, shown, height: cardHeight(table, shown), foreign };
  });
}

export function linksOf(view, cards) {
  const ids = new Map(cards.map((card) => [card.table.name, card.id]));
  return [...view.keys, ...view.suggestions]
    .filter((key) => ids.has(key.child) && ids.has(key.parent))
    .map((key) => ({ child: ids.get(key.child), parent: ids.get(key.parent) }));
}

function handlesOf(card) {
  const at = (id, y, height) => ({ id, type: "source", position: "right", x: 0, y, width: WIDTH, height });
  return [at("head", 0, HEAD), ...card.shown.map((index, place) => at(`c${index}`, HEAD + place * ROW, ROW))];
}

/** Node data by table; `memory` holds the last of each, and the parts it was made of. */
export function nodeData(card, { picked, found, target }, memory) {
  const mine = picked?.table === card.table.name ? picked.columns : [];
  const hit = found?.table === card.table.name ? found.column : null;
  const stamp = JSON.stringify([card.shown, card.foreign, mine, hit, target]);
  const old = memory.get(card.id);
  if (old && old.table === card.table && old.stamp === stamp) return old.data;
  const data = { ...card, picked: mine, found: hit, target };
  memory.set(card.id, { table: card.table, stamp, data, handles: handlesOf(card) });
  return data;
}

export function handlesFrom(memory, id) {
  return memory.get(id).handles;
}

export function edgesOf(view, cards, chosen) {
  const byName = new Map(cards.map((card) => [card.table.name, card]));
  const starts = new Map();
  const edge = (key, suggested) => {
    const child = byName.get(key.child);
    const parent = byName.get(key.parent);
    if (!child || !parent) return null;
    const id = keyId(key);
    const place = (card, column) => rowMiddle(card.table, card.shown, column);
    const handle = (card, column) => {
      const index = card.table.columns.findIndex(([name]) => name === column);
      return card.shown.includes(index) ? `c${index}` : "head";
    };
    const more = key.child_columns.slice(1).map((column, at) => [
      place(child, column) - place(child, key.child_columns[0]),
      place(parent, key.parent_columns[at + 1]) - place(parent, key.parent_columns[0]),
    ]);
    const start = JSON.stringify([key.child, key.child_columns[0]]);
    const nth = starts.get(start) ?? 0;
    starts.set(start, nth + 1);
    return {
      id,
      type: "relation",
      source: child.id,
      target: parent.id,
      sourceHandle: handle(child, key.child_columns[0]),
      targetHandle: handle(parent, key.parent_columns[0]),
      selected: chosen === id,
      focusable: false,
      data: { relation: key, more, suggested, nth },
    };
  };
  return [...view.suggestions.map((key) => edge(key, true)), ...view.keys.map((key) => edge(key, false))].filter(Boolean);
}
