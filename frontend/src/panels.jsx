// What floats over the drawing: what is being picked, the chosen relation, the last news, and the legend.

import { useContext, useEffect } from "react";
import { Actions, hopWords } from "./Card.jsx";
import { Icon } from "./icons.jsx";
import { keyFacts, keyText } from "./Relation.jsx";
import { bareKey } from "./view.js";

const STAYS_MS = 6000;

const list = (columns) => columns.join(", ");

/** One line that is always there: what to do next, what is being picked, or the chosen relation. */
export function Bar({ picking, view, relation, close }) {
  const { picked, widening } = picking;
  if (picked || widening) return <PickBar picking={picking} view={view} />;
  if (relation) return <KeyBar relation={relation} picking={picking} close={close} />;
  return (
    <div className="bar quiet">
      <span className="say">
        {view.keys.length + view.suggestions.length === 0 && view.tables.length < 2
          ? "Add a second table on the Data page to relate it with this one."
          : "Drag from a column to the column it refers to, or click one and then the other. Ctrl + click picks several for one key."}
      </span>
    </div>
  );
}

function PickBar({ picking, view }) {
  const actions = useContext(Actions);
  const { picked, targets, widening } = picking;
  const place = targets ? targets.columns.length : 0;
  return (
    <div className="bar active" role="status">
      <span className="say">
        {widening && !picked && (
          <>
            Click the further column of <b>{widening.child}</b> that belongs to this key.
          </>
        )}
        {widening && picked && (
          <>
            Now the column of <b>{widening.parent}</b> that <b>{list(picked.columns)}</b> refers to.
          </>
        )}
        {!widening && (
          <>
            <b>{picked.table}</b>: <b>{list(picked.columns)}</b> picked.{" "}
            {picked.columns.length > 1
              ? `Now the column that ${picked.columns[place]} refers to${place ? ` in ${targets.table}` : ""}, or the other table's primary key.`
              : "Now the column that it refers to."}
          </>
        )}
      </span>
      {!widening && (
        <>
          <button type="button" onClick={() => actions.mark("key", picked.table, picked.columns)}>
            <Icon name="key" size={12} /> {sameKey(view, picked) ? "Not the primary key" : "Primary key"}
          </button>
          {picked.columns.length === 1 && (
            <button type="button" onClick={() => actions.mark("time", picked.table, picked.columns)}>
              <Icon name="timestamp" size={12} /> {timeOf(view, picked) === picked.columns[0] ? "Not the time" : "Known from"}
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

function KeyBar({ relation, picking, close }) {
  const actions = useContext(Actions);
  const turned = {
    child: relation.parent,
    child_columns: relation.parent_columns,
    parent: relation.child,
    parent_columns: relation.child_columns,
  };
  return (
    <div className="bar active" role="region" aria-label="The chosen relation">
      <span className="say" title={`${keyText(relation)}\n${keyFacts(relation)}`}>
        <b>{keyText(relation)}</b> <span className="quiet">{keyFacts(relation)}</span>
      </span>
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
  const hops = [...new Set(view.tables.map((table) => (table.hop === null ? null : Math.min(table.hop, 3))))];
  hops.sort((a, b) => (a ?? 9) - (b ?? 9));
  return (
    <ul className="legend" aria-label="Legend">
      {view.target ? (
        hops.map((hop) => (
          <li key={String(hop)}>
            <i className={`swatch tone-${hop === null ? "none" : hop}`} /> {legendWords(hop, view.target)}
          </li>
        ))
      ) : (
        <li>Tables are coloured by their distance from the target once a question names it.</li>
      )}
      <li>
        <i className="stroke" /> relation, arrow at what it names
      </li>
      {view.suggestions.length > 0 && (
        <li>
          <i className="stroke dashed" /> suggested
        </li>
      )}
      <li>
        <i className="stroke red" /> under 50 % match
      </li>
      <li>Ctrl + wheel zooms, Shift + drag selects</li>
    </ul>
  );
}

function legendWords(hop, target) {
  if (hop === null) return "not reached";
  if (hop === 0) return `target: ${target}`;
  return hop === 3 ? "3 or more hops" : hopWords(hop, target).replace(" from the target", "");
}
