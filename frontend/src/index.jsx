// The door: Streamlit calls the default export with every change of the data; what draws is made once per element.

import "@xyflow/react/dist/base.css";
import "./canvas.css";
import { createRoot } from "react-dom/client";
import { Canvas } from "./Canvas.jsx";
import { createEngine } from "./engine.js";
import { createQueue } from "./queue.js";
import { createTurns } from "./turns.js";

const elements = new WeakMap();
// Queues outlive the element: an operation made just before leaving the page is sent on coming back.
const queues = new Map();

function queueOf(workspace) {
  if (!queues.has(workspace)) {
    let storage = null;
    try {
      storage = globalThis.sessionStorage;
    } catch {
      // Storage can be forbidden; then only a reload in mid-flight loses something.
    }
    queues.set(workspace, createQueue({ storage, name: `nexusflow.ops.${workspace}` }));
  }
  return queues.get(workspace);
}

/** What is drawn in one element, as the function that takes in each call. */
function open(parentElement) {
  const place = document.createElement("div");
  place.className = "nf-canvas";
  parentElement.appendChild(place);
  const root = createRoot(place);
  const engine = createEngine();
  let queue = null;
  return createTurns({
    show({ data, setStateValue }) {
      queue = queueOf(data.workspace);
      queue.connect((message) => setStateValue("ops", message));
      engine.connect(() => setStateValue("engine", true));
      root.render(<Canvas key={data.workspace} data={data} queue={queue} engine={engine} root={place} />);
    },
    end() {
      queue?.connect(null);
      root.unmount();
      place.remove();
      elements.delete(parentElement);
    },
    isThere: () => parentElement.isConnected,
  });
}

export default function mount({ parentElement, data, setStateValue }) {
  if (!elements.has(parentElement)) elements.set(parentElement, open(parentElement));
  return elements.get(parentElement)({ data, setStateValue });
}
