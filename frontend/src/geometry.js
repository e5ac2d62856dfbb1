// Sizes and places of what is drawn; cards have one width and rows one height, so nothing needs measuring.

export const WIDTH = 248;
export const HEAD = 46;
export const ROW = 28;
export const FOOT = 6;
// What a layout leaves free: below a card, between a child and its parent, and for the badges of a card's keys.
export const BETWEEN = 36;
export const BETWEEN_RANKS = 200;
export const ROOM = 130;
// How many times as high as wide a drawing may be.
export const TALL = 1.5;
const REACH = 46;
const BADGE = 22;
const BADGE_WIDE = 120;
const REACH_MORE = 40;
// How far a relation that goes around a side reaches at most, with its badge.
const AROUND = 0.75 * (REACH + REACH_MORE) - 8 + BADGE_WIDE;

/** Columns that take part in a key, a suggestion or the table's time, per table name. */
export function keyColumns(view) {
  const found = new Map(view.tables.map((table) => [table.name, new Set(table.key)]));
  for (const key of [...view.keys, ...view.suggestions]) {
    key.child_columns.forEach((column) => found.get(key.child)?.add(column));
    key.parent_columns.forEach((column) => found.get(key.parent)?.add(column));
  }
  for (const table of view.tables) if (table.time) found.get(table.name).add(table.time);
  return found;
}

/** Indexes of the columns that a card shows. */
export function shownColumns(table, folded, keys) {
  const all = table.columns.map((_, index) => index);
  return folded ? all.filter((index) => keys.has(table.columns[index][0])) : all;
}

export function cardHeight(table, shown) {
  return HEAD + shown.length * ROW + (shown.length < table.columns.length ? ROW : 0) + FOOT;
}

/** How large the drawing can be shown as a whole, at most at its own size. */
export function scaleOf(cards, places, { width, height }, links = []) {
  const { left, top, right, bottom } = boundsOf(cards, places, links);
  return Math.min(1, width / (right - left), height / (bottom - top));
}

/** What the cards take up, with the relations that go around the side of two of them, one above the other. */
export function boundsOf(cards, places, links = []) {
  const around = links
    .map(({ child, parent }) => [places[child], places[parent]])
    .filter(([child, parent]) => child && parent && (child === parent || beside(child[0], parent[0])))
    .map(([child, parent]) => Math.max(child[0], parent[0]) + WIDTH + AROUND);
  return {
    left: Math.min(...cards.map((card) => places[card.id][0])),
    top: Math.min(...cards.map((card) => places[card.id][1])),
    right: Math.max(...cards.map((card) => places[card.id][0] + WIDTH), ...around),
    bottom: Math.max(...cards.map((card) => places[card.id][1] + card.height)),
  };
}

/** The middle of a column's row below the card's top; of the head where the column is not shown. */
export function rowMiddle(table, shown, column) {
  const at = shown.findIndex((index) => table.columns[index][0] === column);
  return at < 0 ? HEAD / 2 : HEAD + at * ROW + ROW / 2;
}

const beside = (one, other) => Math.abs(one - other) < WIDTH + 24;

/** Where an edge leaves the child's card and enters the parent's: on the sides that face each other. */
export function edgeEnds(child, parent, itself) {
  if (itself || beside(child.x, parent.x)) {
    const right = itself || child.x >= parent.x ? 1 : -1;
    return { from: side(child, right), to: side(parent, right), loop: true };
  }
  const right = child.x < parent.x ? 1 : -1;
  return { from: side(child, right), to: side(parent, -right), loop: false };
}

function side(card, direction) {
  return { x: direction > 0 ? card.x + WIDTH : card.x, y: card.y, direction };
}

/** The curve between both ends as SVG path data, and where its badge begins: beside the child's row.
 *
 * There badges of a table's keys stand below each other; `nth` counts those that start from the same column.
 */
export function edgePath({ from, to, loop }, nth = 0) {
  const reach = loop ? REACH + Math.min(REACH_MORE, Math.abs(from.y - to.y) / 8) : Math.max(REACH, Math.abs(to.x - from.x) / 2);
  const a = { x: from.x + from.direction * reach, y: from.y };
  const b = { x: to.x + to.direction * reach, y: to.y };
  const path = `M${from.x},${from.y} C${a.x},${a.y} ${b.x},${b.y} ${to.x},${to.y}`;
  const slope = Math.max(-3, Math.min(3, (to.y - from.y) / 25));
  const away = (loop ? 0.75 * reach - 8 : BADGE) + nth * BADGE_WIDE;
  const badge = { x: from.x + from.direction * away, y: loop ? (from.y + to.y) / 2 : from.y + slope };
  return { path, badge, side: from.direction };
}
