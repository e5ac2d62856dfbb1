// What is drawn: what Python sent, with the operations on top that it has not yet acknowledged.

export function keyId(key) {
  return JSON.stringify([key.child, key.child_columns, key.parent, key.parent_columns]);
}

export function bareKey(key) {
  const { child, child_columns, parent, parent_columns } = key;
  return { child, child_columns, parent, parent_columns };
}

const STEPS = {
  add_key: (view, op) => withKey(view, op.key),
  remove_key: (view, op) => withoutKey(view, op.key),
  decline: (view, op) => ({ ...view, suggestions: without(view.suggestions, op.key) }),
  replace_key: (view, op) => withKey(withoutKey(view, op.key), op.by),
  set_primary_key: (view, op) => withTable(view, op.table, { key: op.columns }),
  set_time: (view, op) => withTable(view, op.table, { time: op.column }),
  fold: (view, op) => ({ ...view, folded: { ...view.folded, ...op.tables } }),
};

export function withPending(data, ops) {
  return ops.reduce((view, op) => (STEPS[op.op] ? STEPS[op.op](view, op) : view), data);
}

function without(keys, key) {
  const id = keyId(key);
  return keys.filter((other) => keyId(other) !== id);
}

function withKey(view, key) {
  const id = keyId(key);
  if (view.keys.some((other) => keyId(other) === id)) return view;
  const known = view.suggestions.find((other) => keyId(other) === id);
  return { ...view, keys: [...view.keys, known ?? bareKey(key)], suggestions: without(view.suggestions, key) };
}

function withoutKey(view, key) {
  return { ...view, keys: without(view.keys, key) };
}

function withTable(view, name, change) {
  return { ...view, tables: view.tables.map((table) => (table.name === name ? { ...table, ...change } : table)) };
}

/** `next` with every part that says the same as in `before` taken from there, so that memoised cards stay. */
export function shareTables(before, next) {
  if (!before) return next;
  const known = new Map(before.tables.map((table) => [table.name, table]));
  const tables = next.tables.map((table) => {
    const old = known.get(table.name);
    return old && JSON.stringify(old) === JSON.stringify(table) ? old : table;
  });
  return { ...next, tables };
}
