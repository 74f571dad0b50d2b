/** Which part of a plane can be seen. */

import type { Box } from "./box";

export interface View {
  /** The plane's origin, in pixels from the window's corner. */
  x: number;
  y: number;
  zoom: number;
}

/** Whether some box lies, in part or whole, outside of a window of this size. */
export function outOfSight(boxes: readonly Box[], view: View, width: number, height: number): boolean {
  return boxes.some(
    (box) =>
      box.x * view.zoom + view.x < 0 ||
      box.y * view.zoom + view.y < 0 ||
      (box.x + box.width) * view.zoom + view.x > width ||
      (box.y + box.height) * view.zoom + view.y > height,
  );
}
