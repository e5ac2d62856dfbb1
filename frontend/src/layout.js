// Where cards go by themselves: dagre, and ELK where dagre would stack them in one tall column.

import dagre from "@dagrejs/dagre";
import { WIDTH } from "./geometry.js";

const BETWEEN = 36;
const BETWEEN_RANKS = 200;
const TALL = 1.5;
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
  const bottom = Math.max(...cards.map((card) => places[card.id][1] + card.height));
  const top = Math.min(...cards.map((card) => places[card.id][1]));
  const left = Math.min(...cards.map((card) => places[card.id][0]));
  const right = Math.max(...cards.map((card) => places[card.id][0] + WIDTH));
  return bottom - top > TALL * (right - left);
}

/** Places by ELK: no layer holds more cards than make the whole about as wide as high. */
export async function layoutByElk(Elk, cards, links) {
  const total = cards.reduce((sum, card) => sum + card.height + BETWEEN, 0);
  const mean = total / cards.length;
  const bound = Math.max(2, Math.round(Math.sqrt((cards.length * (WIDTH + BETWEEN_RANKS)) / (1.6 * mean))));
  const pairs = links.filter((link) => link.child !== link.parent);
  const graph = {
    id: "schema",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": "RIGHT",
      "elk.aspectRatio": "1.6",
      "elk.spacing.nodeNode": String(BETWEEN),
      "elk.spacing.componentComponent": String(2 * BETWEEN),
      "elk.layered.spacing.nodeNodeBetweenLayers": String(BETWEEN_RANKS),
      "elk.layered.layering.strategy": "COFFMAN_GRAHAM",
      "elk.layered.layering.coffmanGraham.layerBound": String(bound),
      "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
    },
    children: cards.map((card) => ({ id: card.id, width: WIDTH, height: card.height })),
    edges: pairs.map((link, at) => ({ id: `e${at}`, sources: [link.child], targets: [link.parent] })),
  };
  const done = await new Elk().layout(graph);
  return Object.fromEntries(done.children.map(({ id, x, y }) => [id, [Math.round(x), Math.round(y)]]));
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
