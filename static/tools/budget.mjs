/**
 * Fails when a first visit loads more than the budget: the page's scripts and styles and those of the canvas, gzipped.
 * What is loaded later (the layout worker) does not count.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET = 120_000;

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("manifest.json", dist), "utf8"));
const files = new Set();

function take(key) {
  const chunk = manifest[key];
  if (files.has(chunk.file)) return;
  for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file);
  for (const needed of chunk.imports ?? []) take(needed);
}

take("index.html");
take("src/canvas/Canvas.svelte");

let total = 0;
for (const file of files) {
  const size = gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
  total += size;
  console.log(`${String(size).padStart(7)}  ${file}`);
}
console.log(`${String(total).padStart(7)}  of ${BUDGET} bytes, gzipped (${fileURLToPath(dist)})`);
if (total > BUDGET) {
  console.error("A first visit loads too much. Import what is not needed at once with import().");
  process.exit(1);
}
