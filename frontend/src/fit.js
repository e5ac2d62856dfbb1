// The whole drawing in the window, with its cards beside the overview in the corner and not behind it.

import { boundsOf, scaleOf, WIDTH } from "./geometry.js";

const EDGE = 28;
// The overview with its margin, and what of the drawing's size may be given up to keep clear of it.
const CORNER = { width: 176, height: 132 };
const MOST_LOST = 0.3;
export const LEAST_ZOOM = 0.05;

/** What of a window is there for cards. */
export function inside({ width, height }) {
  return { width: Math.max(1, width - 2 * EDGE), height: Math.max(1, height - 2 * EDGE) };
}

/** The room to leave at each side in pixels. */
export function marginsOf(cards, places, size, links = []) {
  const plain = { left: EDGE, top: EDGE, right: EDGE, bottom: EDGE };
  if (!hidden(cards, places, size, plain, links)) return plain;
  const beside = [{ ...plain, right: CORNER.width }, { ...plain, bottom: CORNER.height }];
  const scale = (margins) => scaleOf(cards, places, free(size, margins), links);
  const best = scale(beside[0]) >= scale(beside[1]) ? beside[0] : beside[1];
  return scale(best) >= (1 - MOST_LOST) * scale(plain) ? best : plain;
}

const free = ({ width, height }, { left, top, right, bottom }) => ({
  width: Math.max(1, width - left - right),
  height: Math.max(1, height - top - bottom),
});

/** How the drawing is moved and scaled to lie in the middle of the room that the margins leave. */
export function viewportOf(cards, places, size, margins, links = []) {
  const bounds = boundsOf(cards, places, links);
  const room = free(size, margins);
  const zoom = Math.max(LEAST_ZOOM, scaleOf(cards, places, room, links));
  const x = margins.left + (room.width - zoom * (bounds.left + bounds.right)) / 2;
  const y = margins.top + (room.height - zoom * (bounds.top + bounds.bottom)) / 2;
  return { x, y, zoom };
}

/** Whether a card would lie behind the overview. */
function hidden(cards, places, size, margins, links) {
  const { x, y, zoom } = viewportOf(cards, places, size, margins, links);
  return cards.some((card) => {
    const right = x + zoom * (places[card.id][0] + WIDTH);
    const bottom = y + zoom * (places[card.id][1] + card.height);
    return right > size.width - CORNER.width && bottom > size.height - CORNER.height;
  });
}

/** Show all cards that have a place, and the relations that go around them. */
export function fitAll(flow, cards, places, size, duration = 0, links = []) {
  const placed = cards.filter((card) => places[card.id]);
  if (!placed.length) return;
  const margins = marginsOf(placed, places, size, links);
  flow.setViewport(viewportOf(placed, places, size, margins, links), { duration });
}
