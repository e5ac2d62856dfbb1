// A relation as a curve from the referring column to the column referred to, with a badge that can be pressed.

import { EdgeLabelRenderer } from "@xyflow/react";
import { memo, useContext } from "react";
import { Actions } from "./Card.jsx";
import { edgeEnds, edgePath, WIDTH } from "./geometry.js";
import { Icon } from "./icons.jsx";

export const DOUBTFUL = 0.5;

export function percent(share) {
  if (share > 0.995 && share < 1) return "99 %";
  return `${Math.round(100 * share)} %`;
}

export function keyText(key) {
  const side = (table, columns) => (columns.length === 1 ? `${table}.${columns[0]}` : `${table}(${columns.join(", ")})`);
  return `${side(key.child, key.child_columns)} → ${side(key.parent, key.parent_columns)}`;
}

export function isDoubtful(key) {
  return key.match !== undefined && key.match !== null && key.match < DOUBTFUL;
}

/** What the values say of a key, as sentences. */
export function keyFacts(key) {
  if (!key.cardinality) return "Not yet measured.";
  const many = {
    "N:1": `several rows of ${key.child} can name one of ${key.parent}`,
    "1:1": `a row of ${key.parent} is named by at most one of ${key.child}`,
    "N:M": `rows of ${key.parent} share a key, so a name does not tell which is meant`,
  }[key.cardinality];
  const match =
    key.match === null
      ? `no row of ${key.child} is filled in`
      : `${percent(key.match)} of the ${key.filled.toLocaleString("en")} filled-in rows of ${key.child} find their row in ${key.parent}`;
  return `${key.cardinality}: ${many}; ${match}.`;
}

export function badgeText(key) {
  if (!key.cardinality) return "…";
  if (key.match === null) return `${key.cardinality} · empty`;
  return `${key.cardinality} · ${isDoubtful(key) ? "only " : ""}${percent(key.match)}${isDoubtful(key) ? " match" : ""}`;
}

// Badges are children of their edge for React, and a click on a button is not one on the edge.
const only = (act) => (event) => {
  event.stopPropagation();
  act();
};

function RelationView({ id, sourceX, sourceY, targetX, targetY, data, selected }) {
  const actions = useContext(Actions);
  const { relation, more, suggested, nth } = data;
  const child = { x: sourceX - WIDTH, y: sourceY };
  const parent = { x: targetX - WIDTH, y: targetY };
  const itself = relation.child === relation.parent;
  const { path, badge, side } = edgePath(edgeEnds(child, parent, itself), nth);
  const others = more.map(([down, up]) =>
    edgePath(edgeEnds({ x: child.x, y: child.y + down }, { x: parent.x, y: parent.y + up }, itself)),
  );
  const state = `${suggested ? " suggested" : ""}${isDoubtful(relation) ? " doubtful" : ""}${selected ? " selected" : ""}`;
  const start = relation.cardinality === "1:1" ? "one" : "many";
  return (
    <>
      {others.map((other) => (
        <path key={other.path} d={other.path} className={`line extra${state}`} />
      ))}
      <path d={path} className="hit react-flow__edge-interaction" />
      <path d={path} className={`line${state}`} markerStart={`url(#nf-${start})`} markerEnd="url(#nf-arrow)" />
      <EdgeLabelRenderer>
        <div
          className={`badge nodrag nopan${state}`}
          style={{ transform: `translate(${side > 0 ? 0 : -100}%,-50%) translate(${badge.x}px,${badge.y}px)` }}
        >
          <button
            type="button"
            className="badge-text"
            title={`${keyText(relation)}\n${keyFacts(relation)}`}
            aria-label={`${suggested ? "Suggested relation" : "Relation"} ${keyText(relation)}. ${keyFacts(relation)}`}
            aria-pressed={selected}
            data-edge={id}
            onClick={only(() => actions.chooseEdge(id))}
            onKeyDown={(event) => actions.edgeKey(event, relation, suggested)}
          >
            {relation.child_columns.length > 1 ? `${relation.child_columns.length} columns · ` : ""}
            {badgeText(relation)}
          </button>
          {suggested && (
            <>
              <button
                type="button"
                className="yes"
                title="Use this suggestion"
                aria-label={`Accept ${keyText(relation)}`}
                onClick={only(() => actions.accept(relation))}
              >
                <Icon name="check" size={12} />
              </button>
              <button
                type="button"
                className="no"
                title="Reject this suggestion"
                aria-label={`Reject ${keyText(relation)}`}
                onClick={only(() => actions.decline(relation))}
              >
                <Icon name="cross" size={12} />
              </button>
            </>
          )}
        </div>
      </EdgeLabelRenderer>
    </>
  );
}

export const Relation = memo(RelationView);

/** Ends of the lines: a crow's foot where several rows refer, a bar where one does, an arrow at what is named. */
export function Markers() {
  return (
    <svg width="0" height="0" className="markers" aria-hidden="true">
      <defs>
        <marker id="nf-arrow" viewBox="0 0 12 12" refX="11" refY="6" markerWidth="9" markerHeight="9" orient="auto">
          <path d="M1,1 L11,6 L1,11 z" fill="context-stroke" />
        </marker>
        <marker id="nf-many" viewBox="0 0 14 14" refX="1" refY="7" markerWidth="11" markerHeight="11" orient="auto">
          <path d="M1,1 L13,7 L1,13 M1,7 L13,7" fill="none" stroke="context-stroke" strokeWidth="1.5" />
        </marker>
        <marker id="nf-one" viewBox="0 0 14 14" refX="1" refY="7" markerWidth="11" markerHeight="11" orient="auto">
          <path d="M7,2 L7,12 M1,7 L13,7" fill="none" stroke="context-stroke" strokeWidth="1.5" />
        </marker>
      </defs>
    </svg>
  );
}
