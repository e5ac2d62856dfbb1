// A table as a card: a head to drag it by, and a row per column to draw relations from and to.

import { Handle, Position } from "@xyflow/react";
import { createContext, memo, useContext } from "react";
import { Icon } from "./icons.jsx";

export const Actions = createContext(null);
// Whether the zoom is too small for columns to be read.
export const Far = createContext(false);

const WORDS = {
  key: "key",
  numeric: "number",
  categorical: "category",
  timestamp: "time",
  text: "text",
  ignored: "ignored",
};

export function hopWords(hop, target) {
  if (!target) return "";
  if (hop === 0) return "target table";
  if (hop === null) return "not reached from the target";
  return `${hop} ${hop === 1 ? "hop" : "hops"} from the target`;
}

export function toneOf(hop, target) {
  if (!target) return "plain";
  return hop === null ? "none" : `${Math.min(hop, 3)}`;
}

export function columnMarks(table, foreign, column) {
  const marks = [];
  if (table.key.includes(column)) marks.push("PK");
  if (foreign.includes(column)) marks.push("FK");
  if (table.time === column) marks.push("known from");
  return marks;
}

function CardView({ id, data }) {
  const actions = useContext(Actions);
  const far = useContext(Far);
  const { table, shown, foreign, picked, found, target } = data;
  const left = table.columns.length - shown.length;
  const rows = table.rows.toLocaleString("en");
  const label = `Table ${table.name}, ${rows} rows, ${table.columns.length} columns. ${hopWords(table.hop, target)}`;
  return (
    <div
      className={`card tone-${toneOf(table.hop, target)}`}
      role="group"
      tabIndex={0}
      aria-label={`${label}. Enter goes into its columns, arrows move it.`}
      data-card={id}
      onKeyDown={(event) => actions.cardKey(event, id)}
    >
      <div className="head" title={`${table.name} · ${rows} rows`}>
        <Handle id="head" type="source" position={Position.Right} className="grip head-grip" isConnectableStart={false} tabIndex={-1} />
        <span className="name">{table.name}</span>
        <span className="rows">
          {rows} rows{target && table.hop !== null ? ` · ${table.hop === 0 ? "target" : hopShort(table.hop)}` : ""}
        </span>
        <button
          type="button"
          className="tool nodrag"
          tabIndex={-1}
          title={left ? "Show all columns" : "Show keys only"}
          aria-label={left ? `Show all columns of ${table.name}` : `Show only the keys of ${table.name}`}
          onClick={() => actions.fold(table.name, !left)}
        >
          <Icon name={left ? "unfold" : "fold"} size={13} />
        </button>
      </div>
      {!far &&
        shown.map((index) => (
          <Row
            key={table.columns[index][0]}
            table={table}
            index={index}
            marks={columnMarks(table, foreign, table.columns[index][0])}
            picked={picked.indexOf(table.columns[index][0])}
            found={found === table.columns[index][0]}
          />
        ))}
      {!far && left > 0 && (
        <button type="button" className="more nodrag" tabIndex={-1} onClick={() => actions.fold(table.name, false)}>
          and {left} more
        </button>
      )}
    </div>
  );
}

function hopShort(hop) {
  return `${hop} ${hop === 1 ? "hop" : "hops"}`;
}

const Row = memo(function Row({ table, index, marks, picked, found }) {
  const actions = useContext(Actions);
  const [column, kind, holds] = table.columns[index];
  const said = [WORDS[kind], ...marks.map((mark) => ({ PK: "primary key", FK: "foreign key" })[mark] ?? mark)];
  const tip = `${column} · ${said.join(", ")}${holds ? ` · holds ${holds}` : ""}`;
  return (
    <div
      className={`row nodrag kind-${kind}${picked >= 0 ? " picked" : ""}${found ? " found" : ""}`}
      role="button"
      tabIndex={-1}
      aria-pressed={picked >= 0}
      aria-label={`${column}, ${said.join(", ")}`}
      data-row={index}
      title={tip}
      onClick={(event) => actions.point(table.name, column, event.ctrlKey || event.metaKey || event.shiftKey)}
      onKeyDown={(event) => actions.rowKey(event, table.name, column)}
    >
      <Handle id={`c${index}`} type="source" position={Position.Right} className="grip" tabIndex={-1} />
      <Icon name={kind} />
      <span className="name">{column}</span>
      {picked >= 0 && <span className="mark order">{picked + 1}</span>}
      {marks.map((mark) => (
        <span className={`mark mark-${mark === "PK" || mark === "FK" ? mark : "time"}`} key={mark}>
          {mark === "PK" && <Icon name="key" size={10} />}
          {mark === "FK" && <Icon name="link" size={10} />}
          {mark}
        </span>
      ))}
    </div>
  );
});

export const Card = memo(CardView, (a, b) => a.data === b.data && a.selected === b.selected);
