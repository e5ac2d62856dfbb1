// Where cards go by themselves: dagre, and ELK where dagre would stack them in one tall column.

import dagre from "@dagrejs/dagre";
import { BETWEEN, BETWEEN_RANKS, boundsOf, ROOM, TALL, WIDTH } from "./geometry.js";

const FEW = 6;

/** Places by dagre, children on the left; `cards` are {id, height}, `links` are {child, parent} by id. */
export function layoutByDagre(cards, links) {
  const graph = new dagre.graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: BETWEEN, ranksep: BETWEEN_RANKS });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const card of cards) graph.setNode(card.id, { width: WIDTH, height: card.height });
  for (const link of links) if (link.child !== link.parent) graph.setEdge(link.child, link.parent);
  dagre.layout(graph);
  const places = {};
  for (const card of cards) {
    const { x, y } = graph.node(card.id);
    places[card.id] = [Math.round(x - WIDTH / 2), Math.round(y - card.height / 2)];
  }
  return places;
}

/** Whether these places make a drawing much taller than wide. */
export function isTall(cards, places) {
  if (cards.length < FEW) return false;
  const { left, top, right, bottom } = boundsOf(cards, places);
  return bottom - top > TALL * (right - left);
}

/** Places by ELK: related cards near each other as by springs, then pushed apart until none lies on another. */
export async function layoutByElk(Elk, cards, links) {
  const elk = new Elk();
  const pairs = links.filter((link) => link.child !== link.parent);
  const edges = pairs.map((link, at) => ({ id: `e${at}`, sources: [link.child], targets: [link.parent] }));
  const sizes = new Map(cards.map((card) => [card.id, { width: WIDTH + ROOM, height: card.height + BETWEEN }]));
  const near = await elk.layout({
    id: "near",
    layoutOptions: { "elk.algorithm": "stress", "elk.stress.desiredEdgeLength": String(WIDTH + BETWEEN_RANKS) },
    children: cards.map(({ id }) => ({ id, ...sizes.get(id) })),
    edges,
  });
  const apart = await elk.layout({
    id: "apart",
    layoutOptions: { "elk.algorithm": "sporeOverlap", "elk.spacing.nodeNode": "0" },
    children: near.children.map(({ id, x, y }) => ({ id, x, y, ...sizes.get(id) })),
    edges: [],
  });
  return Object.fromEntries(apart.children.map(({ id, x, y }) => [id, [Math.round(x), Math.round(y)]]));
}

/** Places for cards that have none yet, in a row below the others. */
export function placeBelow(cards, places) {
  const placed = cards.filter((card) => places[card.id]);
  const left = placed.length ? Math.min(...placed.map((card) => places[card.id][0])) : 0;
  const bottom = placed.length ? Math.max(...placed.map((card) => places[card.id][1] + card.height)) + 60 : 0;
  const added = {};
  cards
    .filter((card) => !places[card.id])
    .forEach((card, at) => {
      added[card.id] = [left + at * (WIDTH + BETWEEN), bottom];
    });
  return added;
}
