// Layers of a layout parted into several columns each, so that few tables are not shown as one high and narrow strip.

import { BETWEEN, BETWEEN_RANKS, ROOM, scaleOf, WIDTH } from "./geometry.js";

// Parting ranks crosses lines with cards, so it has to make the drawing that much larger.
const MUCH = 1.15;

/** dagre's places with tall ranks parted into several columns, where the whole is then larger where this much is seen. */
export function wrapRanks(cards, places, seen) {
  const ranks = new Map();
  for (const card of cards) ranks.set(places[card.id][0], [...(ranks.get(places[card.id][0]) ?? []), card]);
  const ordered = [...ranks].sort(([a], [b]) => a - b).map(([, rank]) => rank.sort((a, b) => places[a.id][1] - places[b.id][1]));
  const limits = ordered.flatMap((rank) => rank.map((_, at) => stackHeight(rank) / (at + 1)));
  let best = { scale: MUCH * scaleOf(cards, places, seen), places };
  for (const limit of [...new Set(limits)].sort((a, b) => b - a)) {
    const wrapped = stack(ordered.map((rank) => split(rank, limit)));
    const scale = scaleOf(cards, wrapped, seen);
    if (scale > best.scale) best = { scale, places: wrapped };
  }
  return best.places;
}

const stackHeight = (rank) => rank.reduce((sum, card) => sum + card.height + BETWEEN, -BETWEEN);

/** A rank as columns of about this height, in order. */
function split(rank, limit) {
  const columns = [[]];
  for (const card of rank) {
    const full = columns.at(-1).length > 0 && stackHeight([...columns.at(-1), card]) > limit + BETWEEN;
    if (full) columns.push([]);
    columns.at(-1).push(card);
  }
  return columns;
}

/** Places for ranks of columns from left to right, each around the same middle. */
function stack(ranks) {
  const places = {};
  let x = 0;
  for (const columns of ranks) {
    for (const column of columns) {
      let y = Math.round(-stackHeight(column) / 2);
      for (const card of column) {
        places[card.id] = [x, y];
        y += card.height + BETWEEN;
      }
      x += WIDTH + ROOM;
    }
    x += BETWEEN_RANKS - ROOM;
  }
  return places;
}
