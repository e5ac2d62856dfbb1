// Small pictures as path data, so that the page and the exported drawing share them. 16 x 16, stroked.

export const PATHS = {
  key: "M10.5 2.5a3.5 3.5 0 1 0-3.2 4.9L2.5 12.2V14h2.3v-1.6h1.6v-1.6h1.5l.9-1a3.5 3.5 0 0 0 1.7-7.3zM11 5.2h.01",
  numeric: "M6 2.5 4.5 13.5M11.5 2.5 10 13.5M2.5 5.8h11M2.2 10.2h11",
  categorical: "M2.5 8.2V3a.5.5 0 0 1 .5-.5h5.2l5.3 5.3a1 1 0 0 1 0 1.4l-4.3 4.3a1 1 0 0 1-1.4 0zM5.4 5.4h.01",
  timestamp: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 4.8V8l2.2 1.6",
  text: "M3 3.2h10M8 3.2v10M6 13.2h4",
  ignored: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM4 4l8 8",
  link: "M6.6 9.4 9.4 6.6M7.2 4.6l1.4-1.4a3 3 0 0 1 4.2 4.2l-1.4 1.4M8.8 11.4l-1.4 1.4a3 3 0 0 1-4.2-4.2l1.4-1.4",
  undo: "M3 6.5h6.2a3.6 3.6 0 0 1 0 7.2H6M3 6.5l3-3M3 6.5l3 3",
  redo: "M13 6.5H6.8a3.6 3.6 0 0 0 0 7.2H10M13 6.5l-3-3M13 6.5l-3 3",
  layout: "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM6 10h4v3.5H6zM4.5 6.5V8h7V6.5M8 8v2",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fold: "M3 4h10M3 8h6M3 12h10",
  unfold: "M3 3h10M3 6.3h10M3 9.6h10M3 13h10",
  full: "M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5 13.5 13.5",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  save: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  swap: "M3 5.5h9.5M10 3l2.5 2.5L10 8M13 10.5H3.5M6 8l-2.5 2.5L6 13",
  bin: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.8l.6-9",
};

export function Icon({ name, size = 14 }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name] ?? PATHS.ignored} />
    </svg>
  );
}
