// Layers of a layout parted into several columns, or joined into one, so that few tables are not shown as a narrow strip.

import { BETWEEN, BETWEEN_RANKS, boundsOf, ROOM, scaleOf, TALL, WIDTH } from "./geometry.js";

// Parting ranks crosses lines with cards, and joining them bends lines, so it has to make the drawing that much larger.
const MUCH = 1.15;
// Of so many ranks every way to join neighbours is tried: 2 to the power of one less.
const MOST_RANKS = 10;

/** dagre's places with ranks parted or joined, where the whole is then larger where this much is seen. */
export function wrapRanks(cards, places, seen, links = []) {
  const ranks = new Map();
  for (const card of cards) ranks.set(places[card.id][0], [...(ranks.get(places[card.id][0]) ?? []), card]);
  const ordered = [...ranks].sort(([a], [b]) => a - b).map(([, rank]) => rank.sort((a, b) => places[a.id][1] - places[b.id][1]));
  const limits = ordered.flatMap((rank) => rank.map((_, at) => stackHeight(rank) / (at + 1)));
  let best = { scale: MUCH * scaleOf(cards, places, seen, links), places };
  for (const limit of [...new Set(limits)].sort((a, b) => b - a)) {
    const wrapped = stack(ordered.map((rank) => split(rank, limit)));
    const scale = scaleOf(cards, wrapped, seen, links);
    if (scale > best.scale) best = { scale, places: wrapped };
  }
  for (const joined of joinings(ordered)) {
    const columns = joined.map((ranks) => ranks.flat().sort((a, b) => middle(a, places) - middle(b, places)));
    const stacked = stack(columns.map((column) => [column]));
    const { left, top, right, bottom } = boundsOf(cards, stacked);
    const scale = scaleOf(cards, stacked, seen, links);
    if (scale > best.scale && bottom - top <= TALL * (right - left)) best = { scale, places: stacked };
  }
  return best.places;
}

const middle = (card, places) => places[card.id][1] + card.height / 2;

/** Every way to put neighbouring ranks together, but that of leaving all apart. */
function joinings(ranks) {
  if (ranks.length > MOST_RANKS) return [];
  return Array.from({ length: 2 ** (ranks.length - 1) - 1 }, (_, apart) => {
    const groups = [[ranks[0]]];
    ranks.slice(1).forEach((rank, at) => (apart & (1 << at) ? groups.push([rank]) : groups.at(-1).push(rank)));
    return groups;
  });
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
