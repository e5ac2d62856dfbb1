// The second script: puts ELK where the canvas looks for it; as a component it draws nothing.

import Elk from "elkjs/lib/elk.bundled.js";

globalThis[Symbol.for("nexusflow.elk")] = Elk;

export default function mount() {
  return undefined;
}
