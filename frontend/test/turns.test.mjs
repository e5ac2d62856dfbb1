import assert from "node:assert/strict";
import { test } from "node:test";
import { createTurns } from "../src/turns.js";

function element() {
  const told = [];
  const one = { told, there: true };
  one.turn = createTurns({
    show: (call) => told.push(call),
    end: () => told.push("end"),
    isThere: () => one.there,
  });
  return one;
}

test("a call that came in time and was overtaken takes nothing down", () => {
  const { turn, told } = element();
  const older = turn("older");
  turn("newer");
  older();
  assert.deepEqual(told, ["older", "newer"]);
});

test("a call that came late gives way to the newer one before it", () => {
  const { turn, told } = element();
  turn("newer");
  const older = turn("older");
  older();
  assert.deepEqual(told, ["newer", "older", "newer"]);
});

test("all is taken down once the element is gone, whichever call is told so", () => {
  const one = element();
  const older = one.turn("older");
  one.turn("newer");
  one.there = false;
  older();
  assert.deepEqual(one.told, ["older", "newer", "end"]);
});
