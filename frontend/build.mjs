// Builds the committed bundle: `npm ci && npm run build`, or with --out=FOLDER somewhere else, to compare.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const given = process.argv.find((word) => word.startsWith("--out="))?.slice(6);
const OUT = given ? resolve(given) : join(HERE, "..", "ui", "schema_canvas", "bundle");

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

const hashes = (files, base) =>
  Object.fromEntries(
    files
      .map((file) => [relative(base, file).split(sep).join("/"), sha256(readFileSync(file))])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

async function bundle(entry, name) {
  const result = await build({
    entryPoints: [join(HERE, "src", entry)],
    absWorkingDir: HERE,
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    jsx: "automatic",
    platform: "browser",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    // ELK asks for a worker of node's, which a browser does not have and which is never used.
    external: ["web-worker"],
    outfile: join(OUT, name),
    metafile: true,
    logLevel: "warning",
  });
  return Object.keys(result.metafile.inputs);
}

/** The packages whose code is in the bundle, each with its version and its own licence text. */
function notices(inputs) {
  const names = new Set();
  for (const input of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) names.add(found[1]);
  }
  const parts = [...names].sort().map((name) => {
    const folder = join(HERE, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    const text = licence ? readFileSync(join(folder, licence), "utf8").trim() : `Licence: ${about.license}`;
    const source = (about.repository?.url ?? "").replace(/^git\+/, "");
    return `${name} ${about.version} (${about.license})\nSource: ${source}\n\n${text}\n`;
  });
  return `The bundle in this folder contains the packages below.\n\n${parts.join(`\n${"-".repeat(78)}\n\n`)}`;
}

mkdirSync(OUT, { recursive: true });
const inputs = [...(await bundle("index.jsx", "canvas.js")), ...(await bundle("elk.js", "elk.js"))];
writeFileSync(join(OUT, "THIRD_PARTY.txt"), notices(inputs));
const sources = [...filesIn(join(HERE, "src")), ...["build.mjs", "package.json", "package-lock.json"].map((name) => join(HERE, name))];
const outputs = ["THIRD_PARTY.txt", "canvas.css", "canvas.js", "elk.js"].map((name) => join(OUT, name));
const record = { sources: hashes(sources, HERE), outputs: hashes(outputs, OUT) };
writeFileSync(join(OUT, "BUILD.json"), `${JSON.stringify(record, null, 1)}\n`);
