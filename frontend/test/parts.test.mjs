import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeEnds, WIDTH } from "../src/geometry.js";
import { refusal, targetColumns } from "../src/rules.js";
import { keyId, withPending } from "../src/view.js";

const table = (name, columns, key) => ({ name, rows: 1, columns, key, time: null, hop: null });
const VIEW = {
  tables: [
    table("orders", [["id", "key", "numbers"], ["who", "key", "text"], ["zone", "key", "text"]], ["id"]),
    table("people", [["id", "key", "text"], ["zone", "key", "text"]], ["id", "zone"]),
  ],
  keys: [],
  suggestions: [],
  folded: {},
};
const KEY = { child: "orders", child_columns: ["who"], parent: "people", parent_columns: ["id"] };

test("pending operations show at once, and each once", () => {
  const ops = [{ op: "add_key", key: KEY }, { op: "add_key", key: KEY }];
  const view = withPending(VIEW, ops);
  assert.deepEqual(view.keys.map(keyId), [keyId(KEY)]);
  assert.equal(withPending(view, [{ op: "remove_key", key: KEY }]).keys.length, 0);
  assert.equal(VIEW.keys.length, 0);
});

test("a key that can never match, is there, or leads to itself is refused", () => {
  assert.equal(refusal(VIEW, KEY), null);
  assert.match(refusal(VIEW, { ...KEY, child_columns: ["id"] }), /orders\.id holds numbers and people\.id holds text/);
  assert.match(refusal(withPending(VIEW, [{ op: "add_key", key: KEY }]), KEY), /already/);
  assert.match(refusal(VIEW, { child: "people", child_columns: ["id"], parent: "people", parent_columns: ["id"] }), /itself/);
  assert.match(refusal(VIEW, { ...KEY, child_columns: ["who", "zone"] }), /as many/);
});

test("several picked columns find the whole primary key, by name and then in order", () => {
  const people = VIEW.tables[1];
  assert.deepEqual(targetColumns(people, ["zone", "who"], "id"), ["zone", "id"]);
  assert.deepEqual(targetColumns(people, ["who"], "zone"), ["zone"]);
  assert.equal(targetColumns(people, ["who"], null), null);
  assert.equal(targetColumns(VIEW.tables[0], ["zone", "who"], null), null);
});

test("edges leave on the sides that face each other", () => {
  const left = { x: 0, y: 0 };
  const right = { x: 600, y: 50 };
  assert.equal(edgeEnds(left, right, false).from.x, WIDTH);
  assert.equal(edgeEnds(left, right, false).to.x, 600);
  assert.equal(edgeEnds(right, left, false).from.x, 600);
  assert.equal(edgeEnds(left, left, true).to.x, WIDTH);
});
