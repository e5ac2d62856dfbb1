import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

const WIDTH = 248;
const installed = existsSync(new URL("../node_modules/elkjs", import.meta.url));
const hub = {
  cards: Array.from({ length: 41 }, (_, at) => ({ id: `t${at}`, height: 120 + 28 * (at % 5) })),
  links: Array.from({ length: 30 }, (_, at) => ({ child: `t${at + 1}`, parent: "t0" })),
};

function overlaps({ cards }, places) {
  return cards.flatMap((a, at) =>
    cards.slice(0, at).filter((b) => {
      const [ax, ay] = places[a.id];
      const [bx, by] = places[b.id];
      return Math.abs(ax - bx) < WIDTH && ay < by + b.height && by < ay + a.height;
    }),
  );
}

test("a hub is one tall column for dagre and is not for ELK; no card lies on another", { skip: !installed }, async () => {
  const { default: Elk } = await import("elkjs/lib/elk.bundled.js");
  const { isTall, layoutByDagre, layoutByElk, placeBelow } = await import("../src/layout.js");
  const column = layoutByDagre(hub.cards, hub.links);
  assert.ok(isTall(hub.cards, column));
  assert.equal(overlaps(hub, column).length, 0);
  const places = await layoutByElk(Elk, hub.cards, hub.links);
  assert.ok(!isTall(hub.cards, places));
  assert.equal(overlaps(hub, places).length, 0);
  assert.deepEqual(await layoutByElk(Elk, hub.cards, hub.links), places);

  const some = Object.fromEntries(Object.entries(places).slice(0, 20));
  assert.equal(overlaps(hub, { ...some, ...placeBelow(hub.cards, some) }).length, 0);
});
