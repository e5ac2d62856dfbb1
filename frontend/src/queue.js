// Operations on their way to Python: each is kept until Python says that it has it, and delivered once.
//
// An operation carries the id of the page load that made it and a number that rises within it. The whole list is
// sent every time; Python applies what it has not yet seen and answers with the last number per page load. A
// reload starts a new id and goes on sending what the old one left, so two copies of a tab cannot collide.

const SETTLES_MS = 25;
// While an answer is awaited: every message starts a run of the page, and runs that overtake each other slow all down.
const BUSY_MS = 250;
const RETRY_MS = 3000;
const RETRY_MOST_MS = 30000;
// Of these only the newest matters.
const REPLACED = new Set(["view"]);

export function newClient() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function createQueue({ client = newClient(), storage = null, name = "ops", timers = globalThis } = {}) {
  let pending = restore();
  let seq = 0;
  let sends = 0;
  let wait = RETRY_MS;
  let soon = null;
  let busy = false;
  let retry = null;
  let send = null;
  const listeners = new Set();

  function restore() {
    try {
      const kept = JSON.parse(storage?.getItem(name) ?? "[]");
      return Array.isArray(kept) ? kept.filter((op) => op && op.client && op.seq) : [];
    } catch {
      return [];
    }
  }

  function changed() {
    try {
      storage?.setItem(name, JSON.stringify(pending));
    } catch {
      // A full or forbidden storage costs only what a reload would have saved.
    }
    listeners.forEach((listener) => listener());
  }

  function flush() {
    timers.clearTimeout(soon);
    soon = null;
    busy = false;
    if (!pending.length || !send) return;
    busy = true;
    sends += 1;
    send({ number: `${client}-${sends}`, ops: pending });
    timers.clearTimeout(retry);
    retry = timers.setTimeout(() => {
      wait = Math.min(wait * 2, RETRY_MOST_MS);
      flush();
    }, wait);
  }

  function soonFlush() {
    soon ??= timers.setTimeout(flush, busy ? BUSY_MS : SETTLES_MS);
  }

  return {
    client,
    pending: () => pending,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connect(sender) {
      send = sender;
      if (pending.length) soonFlush();
    },
    push(op) {
      seq += 1;
      const older = REPLACED.has(op.op) ? pending.filter((other) => other.op !== op.op) : pending;
      pending = [...older, { ...op, client, seq }];
      changed();
      soonFlush();
      return seq;
    },
    settle(acked) {
      const left = pending.filter((op) => op.seq > (acked[op.client] ?? 0));
      if (left.length === pending.length) return;
      pending = left;
      wait = RETRY_MS;
      if (!left.length) timers.clearTimeout(retry);
      busy = false;
      if (soon !== null) {
        timers.clearTimeout(soon);
        soon = null;
        soonFlush();
      }
      changed();
    },
  };
}
