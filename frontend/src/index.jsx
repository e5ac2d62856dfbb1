// The door: Streamlit calls the default export with every change of the data; the React root is made once per element.

import "@xyflow/react/dist/base.css";
import "./canvas.css";
import { createRoot } from "react-dom/client";
import { Canvas } from "./Canvas.jsx";
import { createEngine } from "./engine.js";
import { createQueue } from "./queue.js";

const roots = new WeakMap();
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

export default function mount({ parentElement, data, setStateValue }) {
  let made = roots.get(parentElement);
  if (!made) {
    const place = document.createElement("div");
    place.className = "nf-canvas";
    parentElement.appendChild(place);
    made = { root: createRoot(place), place, engine: createEngine() };
    roots.set(parentElement, made);
  }
  const queue = queueOf(data.workspace);
  queue.connect((message) => setStateValue("ops", message));
  made.engine.connect(() => setStateValue("engine", true));
  made.root.render(<Canvas key={data.workspace} data={data} queue={queue} engine={made.engine} root={made.place} />);
  return () => {
    queue.connect(null);
    made.root.unmount();
    made.place.remove();
    roots.delete(parentElement);
  };
}
