/** Lays cards out in a worker, which is loaded when first needed; without workers in the page itself. */

import type { LayoutRequest, Places } from "./layered";

let last: Promise<unknown> = Promise.resolve();
let worker: Worker | null = null;

/** One request at a time, answered in order. */
export function layout(request: LayoutRequest): Promise<Places> {
  const answer = last.then(() => inWorker(request).catch(() => inPage(request)));
  last = answer.catch(() => undefined);
  return answer;
}

function inWorker(request: LayoutRequest): Promise<Places> {
  return new Promise((resolve, reject) => {
    worker ??= new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Places>) => resolve(data);
    worker.onerror = () => reject(new Error("The layout worker failed."));
    worker.postMessage(request);
  });
}

async function inPage(request: LayoutRequest): Promise<Places> {
  const { layered } = await import("./layered");
  return layered(request);
}
