// Buttons over the drawing, and the search for tables and columns.

import { useMemo, useState } from "react";
import { Icon } from "./icons.jsx";
import { savePng, saveSvg } from "./svg.js";

const MOST_HITS = 12;

export function Toolbar({ view, cards, places, queue, flow, fit, edges, root, jump, setNotice }) {
  const folded = cards.every((card) => card.shown.length < card.table.columns.length);
  const foldAll = () =>
    queue.push({ op: "fold", tables: Object.fromEntries(view.tables.map((table) => [table.name, !folded])) });
  const full = () => {
    const host = root.closest?.(".nf-canvas") ?? root;
    const place = host.getRootNode().fullscreenElement ?? document.fullscreenElement;
    if (place) document.exitFullscreen();
    else host.requestFullscreen?.();
  };
  const drawing = { cards, places: places.at, edges, view, root };
  const failed = () => setNotice({ text: "The picture could not be made in this browser.", bad: true });
  return (
    <div className="toolbar" role="toolbar" aria-label="Drawing tools">
      <Tool icon="undo" tip="Undo (Ctrl+Z)" off={!view.undo} act={() => queue.push({ op: "undo" })} />
      <Tool icon="redo" tip="Redo (Ctrl+Shift+Z)" off={!view.redo} act={() => queue.push({ op: "redo" })} />
      <span className="gap" />
      <Tool icon="layout" tip="Auto-layout" act={() => places.arrange()} />
      <Tool icon="fit" tip="Fit to window" act={() => fit(200)} />
      <Tool icon="plus" tip="Zoom in" act={() => flow.zoomIn({ duration: 120 })} />
      <Tool icon="minus" tip="Zoom out" act={() => flow.zoomOut({ duration: 120 })} />
      <Tool icon={folded ? "unfold" : "fold"} tip={folded ? "All columns" : "Keys only"} act={foldAll} />
      <Tool icon="full" tip="Full screen" act={full} />
      <span className="gap" />
      <Tool icon="save" text="PNG" tip="Download as PNG" act={() => savePng(drawing).catch(failed)} />
      <Tool icon="save" text="SVG" tip="Download as SVG" act={() => saveSvg(drawing)} />
      <Search view={view} jump={jump} />
    </div>
  );
}

function Tool({ icon, tip, act, off = false, text = "" }) {
  return (
    <button type="button" className="tool" title={tip} aria-label={tip} disabled={off} onClick={act}>
      <Icon name={icon} />
      {text}
    </button>
  );
}

export function hits(view, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const found = [];
  for (const table of view.tables) {
    if (table.name.toLowerCase().includes(wanted)) found.push({ table: table.name, column: null });
  }
  for (const table of view.tables) {
    for (const [column] of table.columns) {
      if (`${table.name}.${column}`.toLowerCase().includes(wanted) && found.length < 4 * MOST_HITS) {
        found.push({ table: table.name, column });
      }
    }
  }
  return found.slice(0, MOST_HITS);
}

function Search({ view, jump }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useMemo(() => hits(view, text), [view, text]);
  const go = (hit) => {
    if (!hit) return;
    setText("");
    setAt(0);
    jump(hit.table, hit.column);
  };
  const pressed = (event) => {
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") go(found[at]);
    else if (event.key === "Escape") setText("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="search">
      <Icon name="search" />
      <input
        type="search"
        placeholder="Find a table or column"
        aria-label="Find a table or column"
        role="combobox"
        aria-expanded={found.length > 0}
        aria-controls="nf-hits"
        aria-activedescendant={found.length ? `nf-hit-${at}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      {text.trim() !== "" && (
        <ul id="nf-hits" role="listbox" className="panel hits">
          {found.map((hit, place) => (
            <li
              key={JSON.stringify([hit.table, hit.column])}
              id={`nf-hit-${place}`}
              role="option"
              aria-selected={place === at}
              className={place === at ? "at" : ""}
              onMouseDown={(event) => {
                event.preventDefault();
                go(hit);
              }}
            >
              {hit.column === null ? <b>{hit.table}</b> : `${hit.table}.${hit.column}`}
            </li>
          ))}
          {!found.length && <li className="quiet">Nothing of this name</li>}
        </ul>
      )}
    </div>
  );
}
