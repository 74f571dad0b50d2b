/** Runs the layout off the page's thread: a large graph must not freeze the canvas. */

import { layered, type LayoutRequest } from "./layered";

self.onmessage = ({ data }: MessageEvent<LayoutRequest>) => self.postMessage(layered(data));
