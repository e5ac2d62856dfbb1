// Sizes and places of what is drawn; cards have one width and rows one height, so nothing needs measuring.

export const WIDTH = 248;
export const HEAD = 46;
export const ROW = 26;
export const FOOT = 6;
const REACH = 46;

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

/** The middle of a column's row below the card's top; of the head where the column is not shown. */
export function rowMiddle(table, shown, column) {
  const at = shown.findIndex((index) => table.columns[index][0] === column);
  return at < 0 ? HEAD / 2 : HEAD + at * ROW + ROW / 2;
}

/** Where an edge leaves the child's card and enters the parent's: on the sides that face each other. */
export function edgeEnds(child, parent, itself) {
  if (itself || Math.abs(child.x - parent.x) < WIDTH + 24) {
    const right = itself || child.x >= parent.x ? 1 : -1;
    return { from: side(child, right), to: side(parent, right), loop: true };
  }
  const right = child.x < parent.x ? 1 : -1;
  return { from: side(child, right), to: side(parent, -right), loop: false };
}

function side(card, direction) {
  return { x: direction > 0 ? card.x + WIDTH : card.x, y: card.y, direction };
}

function along(t, from, a, b, to) {
  const weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
  const sum = (axis) => [from, a, b, to].reduce((total, point, at) => total + weights[at] * point[axis], 0);
  return { x: sum("x"), y: sum("y") };
}

/** The curve between both ends as SVG path data, the place of the badge, and to which side of it the badge stands. */
export function edgePath({ from, to, loop }) {
  const reach = loop ? REACH + Math.min(40, Math.abs(from.y - to.y) / 8) : Math.max(REACH, Math.abs(to.x - from.x) / 2);
  const a = { x: from.x + from.direction * reach, y: from.y };
  const b = { x: to.x + to.direction * reach, y: to.y };
  const path = `M${from.x},${from.y} C${a.x},${a.y} ${b.x},${b.y} ${to.x},${to.y}`;
  // Nearer to the child: edges to one column meet at the parent, and their badges would lie on each other.
  const middle = loop ? along(0.5, from, a, b, to) : along(0.38, from, a, b, to);
  return { path, middle, side: loop ? from.direction : 0 };
}
