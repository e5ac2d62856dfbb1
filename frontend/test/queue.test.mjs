import assert from "node:assert/strict";
import { test } from "node:test";
import { createQueue } from "../src/queue.js";

function memory() {
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text) };
}

/** Time that stands still until it is told to go on. */
function clock() {
  let next = 0;
  const waiting = new Map();
  return {
    setTimeout: (act) => waiting.set((next += 1), act) && next,
    clearTimeout: (id) => waiting.delete(id),
    run() {
      const due = [...waiting];
      waiting.clear();
      due.forEach(([, act]) => act());
    },
  };
}

test("what is not acknowledged is sent again, with what came after", () => {
  const sent = [];
  const timers = clock();
  const queue = createQueue({ client: "a", timers });
  queue.connect((message) => sent.push(message.ops.map((op) => op.seq)));
  queue.push({ op: "undo" });
  queue.push({ op: "redo" });
  timers.run();
  queue.push({ op: "undo" });
  queue.settle({ a: 1 });
  timers.run();
  assert.deepEqual(sent.at(0), [1, 2]);
  assert.deepEqual(sent.at(-1), [2, 3]);
  queue.settle({ a: 3 });
  assert.deepEqual(queue.pending(), []);
});

test("a reload goes on sending what the page before it left, under a new name", () => {
  const storage = memory();
  const timers = clock();
  createQueue({ client: "old", storage, timers }).push({ op: "undo" });
  const sent = [];
  const queue = createQueue({ client: "new", storage, timers });
  queue.connect((message) => sent.push(...message.ops));
  queue.push({ op: "redo" });
  timers.run();
  assert.deepEqual(sent.map(({ client, seq, op }) => [client, seq, op]), [["old", 1, "undo"], ["new", 1, "redo"]]);
  queue.settle({ old: 1 });
  assert.deepEqual(queue.pending().map((op) => op.client), ["new"]);
});

test("while an answer is awaited, what comes waits with it, but not for ever", () => {
  const waits = [];
  const timers = clock();
  const set = timers.setTimeout;
  timers.setTimeout = (act, ms) => waits.push(ms) && set(act);
  const sent = [];
  const queue = createQueue({ client: "a", timers });
  queue.connect((message) => sent.push(message.ops.map((op) => op.seq)));
  queue.push({ op: "undo" });
  const first = waits.at(-1);
  timers.run();
  queue.push({ op: "undo" });
  queue.push({ op: "undo" });
  assert.ok(waits.at(-1) >= 5 * first && waits.at(-1) < 1000);
  assert.deepEqual(sent, [[1]]);
  queue.settle({ a: 1 });
  assert.equal(waits.at(-1), first);
  timers.run();
  assert.deepEqual(sent.at(1), [2, 3]);
  queue.push({ op: "redo" });
  timers.run();
  assert.deepEqual(sent.at(-1), [2, 3, 4]);
});

test("of views only the newest is kept", () => {
  const queue = createQueue({ client: "a", timers: clock() });
  for (let x = 0; x < 5; x += 1) queue.push({ op: "view", view: [x, 0, 1] });
  assert.deepEqual(queue.pending().map((op) => [op.seq, op.view[0]]), [[5, 4]]);
});
