// The line under the mouse while a relation is drawn, and the reason where it cannot end here.

import { useContext } from "react";
import { Actions } from "./Card.jsx";

export function DragLine({ fromX, fromY, toX, toY, fromNode, fromHandle, toNode, toHandle }) {
  const actions = useContext(Actions);
  const reason = toHandle ? actions.reason(fromNode.id, fromHandle.id, toNode.id, toHandle.id) : null;
  const x = fromX - (toX < fromX - 124 ? 248 : 0);
  return (
    <g className={`drag-line${reason ? " refused" : toHandle ? " allowed" : ""}`}>
      <path d={`M${x},${fromY} C${(x + toX) / 2},${fromY} ${(x + toX) / 2},${toY} ${toX},${toY}`} />
      <circle cx={toX} cy={toY} r={4} />
      {reason && (
        <foreignObject x={toX + 12} y={toY + 8} width={300} height={90} className="reason">
          <div>{reason}</div>
        </foreignObject>
      )}
    </g>
  );
}
