// What floats over the drawing: what is being picked, the chosen relation, the last news, and the legend.

import { useContext, useEffect, useState } from "react";
import { Actions, hopWords } from "./Card.jsx";
import { Icon } from "./icons.jsx";
import { keyFacts, keyText } from "./Relation.jsx";
import { bareKey } from "./view.js";

const STAYS_MS = 6000;

const list = (columns) => columns.join(", ");

export function PickBar({ picking, view }) {
  const actions = useContext(Actions);
  const { picked, targets, widening } = picking;
  if (!picked && !widening) return null;
  const place = targets ? targets.columns.length : 0;
  return (
    <div className="panel pick" role="status">
      {widening && !picked && (
        <span>
          Click the further column of <b>{widening.child}</b> that belongs to this key.
        </span>
      )}
      {widening && picked && (
        <span>
          Now the column of <b>{widening.parent}</b> that <b>{list(picked.columns)}</b> refers to.
        </span>
      )}
      {!widening && picked && (
        <span>
          <b>{picked.table}</b>: <b>{list(picked.columns)}</b> picked.{" "}
          {picked.columns.length > 1
            ? `Now the column that ${picked.columns[place]} refers to${place ? ` in ${targets.table}` : ""}, or the other table's primary key.`
            : "Now the column that it refers to. Ctrl + click picks several."}
        </span>
      )}
      {!widening && (
        <>
          <button type="button" onClick={() => actions.mark("key", picked.table, picked.columns)}>
            {sameKey(view, picked) ? "Not the primary key" : "Primary key"}
          </button>
          {picked.columns.length === 1 && (
            <button type="button" onClick={() => actions.mark("time", picked.table, picked.columns)}>
              {timeOf(view, picked) === picked.columns[0] ? "Not the time" : "Known from"}
            </button>
          )}
        </>
      )}
      <button type="button" aria-label="Cancel" title="Cancel (Esc)" onClick={picking.clear}>
        <Icon name="cross" size={12} />
      </button>
    </div>
  );
}

const tableOf = (view, picked) => view.tables.find((table) => table.name === picked.table);
const timeOf = (view, picked) => tableOf(view, picked)?.time;
const sameKey = (view, picked) => JSON.stringify(tableOf(view, picked)?.key) === JSON.stringify(picked.columns);

export function KeyPanel({ relation, picking, close }) {
  const actions = useContext(Actions);
  const turned = {
    child: relation.parent,
    child_columns: relation.parent_columns,
    parent: relation.child,
    parent_columns: relation.child_columns,
  };
  return (
    <div className="panel chosen" role="region" aria-label="The chosen relation">
      <div className="panel-text">
        <b>{keyText(relation)}</b>
        <span>{keyFacts(relation)}</span>
      </div>
      <button type="button" onClick={() => picking.startWidening(bareKey(relation))} title="One key made of several columns">
        <Icon name="plus" size={12} /> Add a pair
      </button>
      <button type="button" onClick={() => picking.replace(relation, turned)} title="Refer the other way round">
        <Icon name="swap" size={12} /> Turn round
      </button>
      <button type="button" className="remove" onClick={() => actions.remove(relation)} title="Remove (Delete)">
        <Icon name="bin" size={12} /> Remove
      </button>
      <button type="button" aria-label="Close" onClick={close}>
        <Icon name="cross" size={12} />
      </button>
    </div>
  );
}

export function Notice({ notice, close }) {
  useEffect(() => {
    if (!notice) return undefined;
    const timer = setTimeout(close, STAYS_MS);
    return () => clearTimeout(timer);
  }, [notice, close]);
  return (
    <div className="notice-place" role="status" aria-live="polite">
      {notice && <div className={`panel notice${notice.bad ? " bad" : ""}`}>{notice.text}</div>}
    </div>
  );
}

export function Legend({ view }) {
  const [open, setOpen] = useState(true);
  const hops = [...new Set(view.tables.map((table) => (table.hop === null ? null : Math.min(table.hop, 3))))];
  hops.sort((a, b) => (a ?? 9) - (b ?? 9));
  return (
    <div className={`panel legend${open ? "" : " closed"}`}>
      <button type="button" className="legend-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        Legend
      </button>
      {open && (
        <ul>
          {view.target ? (
            hops.map((hop) => (
              <li key={String(hop)}>
                <i className={`swatch tone-${hop === null ? "none" : hop}`} />
                {hop === 3 ? "3 or more hops" : hop === 0 ? `target: ${view.target}` : hop === null ? "not reached" : hopWords(hop, true).replace(" from the target", "")}
              </li>
            ))
          ) : (
            <li className="quiet">Colours follow once a question names its table.</li>
          )}
          <li>
            <i className="stroke" /> relation, arrow at the row it names
          </li>
          {view.suggestions.length > 0 && (
            <li>
              <i className="stroke dashed" /> suggested
            </li>
          )}
          <li>
            <i className="stroke red" /> under half of the rows match
          </li>
          <li className="quiet">Ctrl + wheel zooms, Shift + drag selects</li>
        </ul>
      )}
    </div>
  );
}
