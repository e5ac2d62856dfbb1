import assert from "node:assert/strict";
import { test } from "node:test";
import { fitAll, inside, marginsOf, viewportOf } from "../src/fit.js";
import { boundsOf, scaleOf, WIDTH } from "../src/geometry.js";
import { wrapRanks } from "../src/ranks.js";

const WINDOW = { width: 900, height: 480 };
const heights = [470, 250, 250, 250, 200, 250, 170, 250, 280];
const cards = heights.map((height, at) => ({ id: `t${at}`, height }));

/** The cards as three layers: five, three, one. */
function layers() {
  const places = {};
  let y = 0;
  cards.forEach((card, at) => {
    if (at === 5 || at === 8) y = 0;
    places[card.id] = [at < 5 ? 0 : at < 8 ? 450 : 900, y];
    y += card.height + 36;
  });
  return places;
}

function overlaps(places) {
  return cards.some((a, at) =>
    cards.slice(0, at).some((b) => {
      const [[ax, ay], [bx, by]] = [places[a.id], places[b.id]];
      return Math.abs(ax - bx) < WIDTH && ay < by + b.height && by < ay + a.height;
    }),
  );
}

test("a high layer is parted, so that the whole is shown larger; layers keep their order", () => {
  const before = layers();
  const after = wrapRanks(cards, before, inside(WINDOW));
  assert.ok(scaleOf(cards, after, inside(WINDOW)) > 1.3 * scaleOf(cards, before, inside(WINDOW)));
  assert.ok(!overlaps(after));
  const x = (at) => after[`t${at}`][0];
  assert.ok(Math.max(...[0, 1, 2, 3, 4].map(x)) < Math.min(...[5, 6, 7].map(x)));
  assert.ok(Math.max(...[5, 6, 7].map(x)) < x(8));
});

test("what fits is left as it is", () => {
  const few = cards.slice(6, 8);
  const wide = Object.fromEntries(few.map((card, at) => [card.id, [450 * at, 0]]));
  assert.equal(wrapRanks(few, wide, inside(WINDOW)), wide);
});

test("many short layers are joined, so that the whole is shown larger; layers keep their order", () => {
  for (const width of [500, 900, 1600]) {
    const seen = inside({ width, height: 480 });
    const wide = Object.fromEntries(cards.map((card, at) => [card.id, [450 * at, 0]]));
    const after = wrapRanks(cards, wide, seen);
    assert.ok(scaleOf(cards, after, seen) > 1.5 * scaleOf(cards, wide, seen));
    assert.ok(!overlaps(after));
    const x = cards.map((card) => after[card.id][0]);
    assert.deepEqual(x, [...x].sort((a, b) => a - b));
    assert.ok(new Set(x).size < cards.length);
    const { left, top, right, bottom } = boundsOf(cards, after);
    assert.ok(bottom - top <= 1.5 * (right - left));
  }
});

test("a card is not put behind the overview in the corner", () => {
  const two = cards.slice(5, 7);
  const corner = { t5: [0, 0], t6: [700, 260] };
  const margins = marginsOf(two, corner, WINDOW);
  assert.ok(margins.right > 150 || margins.bottom > 100);
  const { right } = boundsOf(two, corner);
  assert.equal(right, 700 + WIDTH);
  const high = { t5: [0, 0], t6: [0, 300] };
  assert.ok(Math.max(...Object.values(marginsOf(two, high, WINDOW))) < 40);
});

test("all cards lie within the window, in the middle of what is free", () => {
  const places = layers();
  let seen = null;
  fitAll({ setViewport: (viewport) => (seen = viewport) }, cards, places, WINDOW);
  const { left, top, right, bottom } = boundsOf(cards, places);
  assert.ok(seen.x + seen.zoom * left >= 27 && seen.x + seen.zoom * right <= WINDOW.width - 27);
  assert.ok(seen.y + seen.zoom * top >= 27 && seen.y + seen.zoom * bottom <= WINDOW.height - 27);
  const even = viewportOf(cards, places, WINDOW, { left: 28, top: 28, right: 28, bottom: 28 });
  assert.ok(Math.abs(2 * even.x + even.zoom * (left + right) - WINDOW.width) < 1e-6);
});

test("a relation that goes around two cards is within the window, on whichever card it ends", () => {
  const [one, other] = cards.slice(5, 7);
  const places = { [one.id]: [0, 0], [other.id]: [10, 300] };
  const bare = boundsOf([one, other], places);
  const links = [{ child: other.id, parent: one.id }];
  const { right } = boundsOf([one, other], places, links);
  assert.ok(right > bare.right + 150);
  assert.deepEqual(boundsOf([one, other], { ...places, [other.id]: [450, 0] }, links).right, 450 + WIDTH);
  let seen = null;
  fitAll({ setViewport: (viewport) => (seen = viewport) }, [one, other], places, { width: 420, height: 900 }, 0, links);
  assert.ok(seen.x + seen.zoom * right <= 420 - 27);
});

test("nothing to fit is no matter", () => {
  fitAll({ setViewport: () => assert.fail("there is no card") }, cards, {}, WINDOW);
});
