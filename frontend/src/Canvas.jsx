// The canvas: what is drawn comes from Python and the queue; what is looked at (places, view, choice) is held here.

import { Background, ConnectionMode, MiniMap, ReactFlow, ReactFlowProvider, useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Actions, Card, Far, toneOf } from "./Card.jsx";
import { DragLine } from "./DragLine.jsx";
import { fitAll, LEAST_ZOOM } from "./fit.js";
import { cardsOf, edgesOf, handlesFrom, linksOf, nodeData } from "./graph.js";
import { WIDTH } from "./geometry.js";
import { useKeys } from "./keyboard.js";
import { usePlaces } from "./places.js";
import { Bar, Legend, Notice } from "./panels.jsx";
import { usePicking } from "./picking.js";
import { Markers, Relation } from "./Relation.jsx";
import { Toolbar } from "./Toolbar.jsx";
import { keyId, shareTables, withPending } from "./view.js";

const NODE_TYPES = { card: Card };
const EDGE_TYPES = { relation: Relation };
const VIEW_SETTLES_MS = 500;
// Up to this many rows all cards stay in the page: making them anew at the edges of a pan costs more than keeping them.
const MOST_ROWS = 1500;
// Below this zoom columns cannot be read: only the names of the tables are drawn, which costs so little that all stay.
const FAR = 0.4;

function useView(data, queue) {
  const pending = useSyncExternalStore(queue.subscribe, queue.pending);
  const last = useRef(null);
  const shared = useMemo(() => {
    last.current = shareTables(last.current, data);
    return last.current;
  }, [data]);
  return useMemo(() => withPending(shared, pending), [shared, pending]);
}

function Flow({ data, queue, engine, root }) {
  const view = useView(data, queue);
  const flow = useReactFlow();
  const store = useStoreApi();
  const size = useCallback(() => {
    const { width, height } = store.getState();
    return { width, height };
  }, [store]);
  const [chosen, setChosen] = useState(null);
  const [notice, setNotice] = useState(null);
  const [found, setFound] = useState(null);
  const picking = usePicking({ view, queue, setNotice, setChosen });
  const { picked } = picking;
  const cards = useMemo(() => cardsOf(view, picked), [view, picked]);
  const links = useMemo(() => linksOf(view, cards), [view, cards]);
  const places = usePlaces({ data, cards, links, queue, engine, flow, size });
  const memory = useRef(new Map());
  const edges = useMemo(() => edgesOf(view, cards, chosen), [view, cards, chosen]);
  const target = view.target;

  const nodes = useMemo(
    () =>
      cards
        .filter((card) => places.at[card.id])
        .map((card) => {
          const made = nodeData(card, { picked, found, target }, memory.current);
          const [x, y] = places.at[card.id];
          const size = { width: WIDTH, height: card.height };
          return {
            id: card.id,
            type: "card",
            position: { x, y },
            data: made,
            ...size,
            measured: size,
            handles: handlesFrom(memory.current, card.id),
            selected: places.selected.has(card.id),
            dragHandle: ".head",
            focusable: false,
          };
        }),
    [cards, places.at, places.selected, picked, found, target],
  );

  useEffect(() => queue.settle(data.acked), [data, queue]);
  useRefusals(data, queue, setNotice);

  const keys = useKeys({ view, cards, queue, picking, places, root, flow, setChosen, setFound, chosen });
  const choose = useCallback(
    (id) => {
      picking.clear();
      setChosen(id);
    },
    [picking],
  );
  const actions = useMemo(() => ({ ...picking.actions, ...keys, chooseEdge: choose }), [picking.actions, keys, choose]);
  const latest = useRef(actions);
  latest.current = actions;
  const stable = useRef(null);
  stable.current ??= new Proxy({}, { get: (_, name) => (...given) => latest.current[name](...given) });

  // The view is kept as its middle and the width that is seen: windows differ.
  const viewSaver = useRef(null);
  const flowElement = useRef(null);
  const lastView = useRef(data.view);
  const onMoveEnd = useCallback(
    (_, { x, y, zoom }) => {
      flowElement.current?.classList.remove("moving");
      clearTimeout(viewSaver.current);
      const { width, height } = size();
      const now = [(width / 2 - x) / zoom, (height / 2 - y) / zoom, width / zoom].map((value) => Math.round(value * 1e6) / 1e6);
      const same = lastView.current?.every((value, at) => Math.abs(value - now[at]) < 1e-3);
      if (same) return;
      lastView.current = now;
      viewSaver.current = setTimeout(() => queue.push({ op: "view", view: now }), VIEW_SETTLES_MS);
    },
    [queue, size],
  );
  const fit = useRef(null);
  fit.current = (duration = 0) => fitAll(flow, cards, places.at, size(), duration, links);
  const closeNotice = useCallback(() => setNotice(null), []);
  const rows = useMemo(() => cards.reduce((sum, card) => sum + card.shown.length, 0), [cards]);
  const far = useStore((state) => state.transform[2] < FAR);
  const start = data.view;
  const chosenKey = view.keys.find((key) => keyId(key) === chosen) ?? null;

  return (
    <Actions.Provider value={stable.current}>
      <Toolbar view={view} cards={cards} places={places} queue={queue} flow={flow} fit={(duration) => fit.current(duration)} edges={edges} root={root} jump={keys.jump} setNotice={setNotice} />
      <Bar picking={picking} view={view} relation={chosenKey} close={() => setChosen(null)} />
      <Far.Provider value={far}>
        <div className={far ? "flow far" : "flow"} ref={flowElement}>
          <Markers />
          <ReactFlow
            nodes={nodes}
            edges={edges}
            nodeTypes={NODE_TYPES}
            edgeTypes={EDGE_TYPES}
            onNodesChange={places.change}
            onNodeDragStop={places.dropped}
            onSelectionDragStop={places.dropped}
            onConnect={picking.connect}
            onConnectEnd={picking.connectEnd}
            isValidConnection={picking.isValid}
            connectionLineComponent={DragLine}
            connectionMode={ConnectionMode.Loose}
            connectionRadius={14}
            connectionDragThreshold={4}
            connectOnClick={false}
            onEdgeClick={(_, edge) => choose(edge.id)}
            onPaneClick={() => {
              setChosen(null);
              picking.clear();
            }}
            onMoveStart={() => flowElement.current.classList.add("moving")}
            onMoveEnd={onMoveEnd}
            onInit={(instance) => (start ? instance.setCenter(start[0], start[1], { zoom: size().width / start[2] }) : fit.current())}
            minZoom={LEAST_ZOOM}
            maxZoom={2}
            onlyRenderVisibleElements={!far && rows > MOST_ROWS}
            nodesFocusable={false}
            edgesFocusable={false}
            disableKeyboardA11y
            deleteKeyCode={null}
            zoomOnScroll={false}
            preventScrolling={false}
            zoomActivationKeyCode={["Control", "Meta"]}
            zoomOnDoubleClick={false}
            elevateNodesOnSelect={false}
            multiSelectionKeyCode={["Control", "Meta"]}
            proOptions={{ hideAttribution: false }}
          >
            <Background gap={24} size={1} />
            <MiniMap
              pannable
              zoomable
              ariaLabel="Overview of the drawing"
              nodeClassName={(node) => `tone-${toneOf(node.data.table?.hop, target)}`}
            />
          </ReactFlow>
          <Notice notice={notice} close={closeNotice} />
        </div>
      </Far.Provider>
      <Legend view={view} />
    </Actions.Provider>
  );
}

/** What Python refused of this page load's operations, each told once. */
function useRefusals(data, queue, setNotice) {
  const told = useRef(0);
  useEffect(() => {
    for (const { client, seq, reason } of data.refused) {
      if (client === queue.client && seq > told.current) {
        told.current = seq;
        setNotice({ text: reason, bad: true });
      }
    }
  }, [data.refused, queue, setNotice]);
}

export function Canvas(props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}
