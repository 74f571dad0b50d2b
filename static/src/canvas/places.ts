/** Where a person put cards, remembered by this browser for each graph: the layout is the viewer's, not the sheet's. */

import type { Point } from "../geometry/box";

/** Cards and their places, latest moved first. */
export type Moved = [id: string, place: Point][];

const key = (graph: string): string => `daggr:places:${graph}`;

export function remembered(graph: string): Moved {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key(graph)) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isMoved) : [];
  } catch {
    return []; // storage is off, or holds something else
  }
}

export function remember(graph: string, moved: Moved): void {
  try {
    if (moved.length === 0) localStorage.removeItem(key(graph));
    else localStorage.setItem(key(graph), JSON.stringify(moved));
  } catch {
    // storage is off or full: the places hold until the page is closed
  }
}

function isMoved(entry: unknown): entry is Moved[number] {
  if (!Array.isArray(entry) || typeof entry[0] !== "string") return false;
  const place = entry[1] as Partial<Point> | null;
  return Number.isFinite(place?.x) && Number.isFinite(place?.y);
}
