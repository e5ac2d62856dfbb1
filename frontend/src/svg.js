// The drawing as an SVG file of plain shapes and text, and the same as a PNG.

import { columnMarks, toneOf } from "./Card.jsx";
import { edgeEnds, edgePath, HEAD, ROW, WIDTH } from "./geometry.js";
import { PATHS } from "./icons.jsx";
import { badgeText, isDoubtful } from "./Relation.jsx";

const PAD = 40;
const NAME_LENGTH = 26;
const MOST_PIXELS = 8000;
// What XML cannot hold, and marks that turn the reading direction.
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function xml(text) {
  const marks = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
  return String(text).replace(FORBIDDEN, "\ufffd").replace(/[&<>"']/g, (mark) => marks[mark]);
}

function short(text, limit = NAME_LENGTH) {
  const letters = Array.from(text);
  return letters.length <= limit ? text : `${letters.slice(0, limit - 1).join("")}…`;
}

function coloursOf(root) {
  const style = getComputedStyle(root);
  const names = ["bg", "card", "text", "quiet", "line", "edge", "accent", "bad"];
  const tones = ["0", "1", "2", "3", "none", "plain"].map((tone) => `tone-${tone}`);
  return Object.fromEntries([...names, ...tones].map((name) => [name, style.getPropertyValue(`--nf-${name}`).trim()]));
}

function cardSvg(card, [x, y], view, colours) {
  const { table, shown, foreign } = card;
  const tone = colours[`tone-${toneOf(table.hop, view.target)}`];
  const left = table.columns.length - shown.length;
  const parts = [
    `<g transform="translate(${x} ${y})">`,
    `<rect width="${WIDTH}" height="${card.height}" rx="8" fill="${colours.card}" stroke="${colours.line}"/>`,
    `<rect width="${WIDTH}" height="4" rx="2" fill="${tone}"/>`,
    `<text x="12" y="21" font-weight="600" fill="${colours.text}">${xml(short(table.name))}</text>`,
    `<text x="12" y="37" font-size="10.5" fill="${colours.quiet}">${table.rows.toLocaleString("en")} rows</text>`,
  ];
  shown.forEach((index, place) => {
    const [column, kind] = table.columns[index];
    const top = HEAD + place * ROW;
    const marks = columnMarks(table, foreign, column).join(" ");
    const ink = marks ? colours.accent : colours.quiet;
    parts.push(
      `<line x1="0" x2="${WIDTH}" y1="${top}" y2="${top}" stroke="${colours.line}" stroke-opacity=".6"/>`,
      `<path transform="translate(12 ${top + 6}) scale(.88)" d="${PATHS[kind] ?? PATHS.ignored}" fill="none" stroke="${ink}" stroke-width="1.4"/>`,
      `<text x="34" y="${top + 17}" fill="${colours.text}">${xml(short(column, marks ? 20 : NAME_LENGTH))}</text>`,
      `<text x="${WIDTH - 10}" y="${top + 17}" text-anchor="end" font-size="10" fill="${ink}">${xml(marks)}</text>`,
    );
  });
  if (left) {
    const top = HEAD + shown.length * ROW + 17;
    parts.push(`<text x="12" y="${top}" font-size="11" fill="${colours.quiet}">and ${left} more</text>`);
  }
  return [...parts, "</g>"].join("");
}

function edgeSvg(edge, byId, places, colours) {
  const { relation, more, suggested, nth } = edge.data;
  const end = (id, handle) => {
    const card = byId.get(id);
    const [x, y] = places[id];
    const row = handle === "head" ? -1 : card.shown.indexOf(Number(handle.slice(1)));
    return { x, y: y + (row < 0 ? HEAD / 2 : HEAD + row * ROW + ROW / 2) };
  };
  const child = end(edge.source, edge.sourceHandle);
  const parent = end(edge.target, edge.targetHandle);
  const itself = edge.source === edge.target;
  const ink = isDoubtful(relation) ? colours.bad : colours.edge;
  const dash = suggested ? ' stroke-dasharray="6 4"' : "";
  const draw = (from, to, ends) => {
    const { path, badge, side } = edgePath(edgeEnds(from, to, itself), nth);
    return [`<path d="${path}" fill="none" stroke="${ink}" stroke-width="1.6"${dash}${ends}/>`, badge, side];
  };
  const start = relation.cardinality === "1:1" ? "one" : "many";
  const mark = isDoubtful(relation) ? "bad" : "edge";
  const [line, at, side] = draw(child, parent, ` marker-start="url(#${start}-${mark})" marker-end="url(#arrow-${mark})"`);
  const others = more.map(([down, up]) => draw({ ...child, y: child.y + down }, { ...parent, y: parent.y + up }, "")[0]);
  const text = `${relation.child_columns.length > 1 ? `${relation.child_columns.length} columns · ` : ""}${suggested ? "suggested · " : ""}${badgeText(relation)}`;
  const wide = 12 + 6.1 * text.length;
  const x = at.x + (side * wide) / 2;
  const badge =
    `<rect x="${x - wide / 2}" y="${at.y - 10}" width="${wide}" height="20" rx="10" fill="${colours.card}" stroke="${ink}"/>` +
    `<text x="${x}" y="${at.y + 4}" text-anchor="middle" font-size="10.5" fill="${isDoubtful(relation) ? colours.bad : colours.text}">${xml(text)}</text>`;
  return { lines: others.join("") + line, badge };
}

function markers(colours) {
  return ["edge", "bad"]
    .map(
      (ink) =>
        `<marker id="arrow-${ink}" viewBox="0 0 12 12" refX="11" refY="6" markerWidth="7" markerHeight="7" orient="auto"><path d="M1,1 L11,6 L1,11 z" fill="${colours[ink]}"/></marker>` +
        `<marker id="many-${ink}" viewBox="0 0 14 14" refX="1" refY="7" markerWidth="8" markerHeight="8" orient="auto"><path d="M1,1 L13,7 L1,13 M1,7 L13,7" fill="none" stroke="${colours[ink]}" stroke-width="1.5"/></marker>` +
        `<marker id="one-${ink}" viewBox="0 0 14 14" refX="1" refY="7" markerWidth="8" markerHeight="8" orient="auto"><path d="M7,2 L7,12 M1,7 L13,7" fill="none" stroke="${colours[ink]}" stroke-width="1.5"/></marker>`,
    )
    .join("");
}

/** The whole drawing, whatever part of it is on the screen: {text, width, height}. */
export function drawSvg({ cards, places, edges, view, root }) {
  const colours = coloursOf(root);
  const drawn = cards.filter((card) => places[card.id]);
  const byId = new Map(drawn.map((card) => [card.id, card]));
  const left = Math.min(...drawn.map((card) => places[card.id][0])) - PAD - 60;
  const top = Math.min(...drawn.map((card) => places[card.id][1])) - PAD;
  const right = Math.max(...drawn.map((card) => places[card.id][0] + WIDTH)) + PAD + 130;
  const bottom = Math.max(...drawn.map((card) => places[card.id][1] + card.height)) + PAD;
  const [width, height] = [right - left, bottom - top];
  const lines = edges.filter((edge) => byId.has(edge.source) && byId.has(edge.target)).map((edge) => edgeSvg(edge, byId, places, colours));
  const text = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="12">`,
    `<title>Schema</title><defs>${markers(colours)}</defs>`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${colours.bg}"/>`,
    ...lines.map((line) => line.lines),
    ...drawn.map((card) => cardSvg(card, places[card.id], view, colours)),
    ...lines.map((line) => line.badge),
    "</svg>",
  ].join("\n");
  return { text, width, height };
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function saveSvg(drawing) {
  download(new Blob([drawSvg(drawing).text], { type: "image/svg+xml" }), "schema.svg");
}

/** A PNG at twice the size, or as large as a browser's canvas allows. */
export async function savePng(drawing) {
  const { text, width, height } = drawSvg(drawing);
  const scale = Math.min(2, MOST_PIXELS / Math.max(width, height));
  const image = new Image();
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    await new Promise((done, failed) => {
      image.onload = done;
      image.onerror = () => failed(new Error("the drawing is not an image"));
      image.src = url;
    });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error("the picture is too large");
    download(blob, "schema.png");
  } finally {
    URL.revokeObjectURL(url);
  }
}
