// The line under the mouse while a relation is drawn, and the reason where it cannot end here.

import { useStore } from "@xyflow/react";
import { useContext } from "react";
import { Actions } from "./Card.jsx";

const WIDE = 290;

export function DragLine({ fromX, fromY, toX, toY, fromNode, fromHandle, toNode, toHandle }) {
  const actions = useContext(Actions);
  const reason = toHandle ? actions.reason(fromNode.id, fromHandle.id, toNode.id, toHandle.id) : null;
  const right = useStore((state) => (state.width - state.transform[0]) / state.transform[2]);
  const x = fromX - (toX < fromX - 124 ? 248 : 0);
  return (
    <g className={`drag-line${reason ? " refused" : toHandle ? " allowed" : ""}`}>
      <path d={`M${x},${fromY} C${(x + toX) / 2},${fromY} ${(x + toX) / 2},${toY} ${toX},${toY}`} />
      <circle cx={toX} cy={toY} r={4} />
      {reason && (
        <foreignObject x={Math.min(toX + 12, right - WIDE - 8)} y={toY + 10} width={WIDE} height={90} className="reason">
          <div>{reason}</div>
        </foreignObject>
      )}
    </g>
  );
}
