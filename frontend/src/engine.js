// ELK is three times as large as all the rest: it is asked for when a layout needs it, and comes as a second script.

const SLOT = Symbol.for("nexusflow.elk");
const PATIENCE_MS = 15000;
const LOOK_MS = 50;

export function createEngine() {
  let ask = null;
  return {
    connect(asker) {
      ask = asker;
    },
    /** ELK's class, or null where it does not come. */
    async elk() {
      if (!globalThis[SLOT]) ask?.();
      const until = Date.now() + PATIENCE_MS;
      while (!globalThis[SLOT] && Date.now() < until) await new Promise((done) => setTimeout(done, LOOK_MS));
      return globalThis[SLOT] ?? null;
    },
  };
}
