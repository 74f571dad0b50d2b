/**
 * Where cards go when some of them have grown: each stays at its home unless it would touch another, then it moves
 * down. Computed from the homes every time, so a card that shrinks lets the others return.
 */

import { near, type Box, type Point } from "./box";

/** Clear space around every card. */
export const GAP = 24;

/**
 * Places without overlaps. `kept` are cards that a person placed, latest first: they stay, and the others make way.
 */
export function makeRoom(homes: readonly Box[], kept: readonly string[] = [], gap = GAP): Map<string, Point> {
  const byId = new Map(homes.map((box) => [box.id, box]));
  const first = kept.map((id) => byId.get(id)).filter((box) => box !== undefined);
  const chosen = new Set(first.map((box) => box.id));
  const rest = homes.filter((box) => !chosen.has(box.id)).sort((a, b) => a.y - b.y || a.x - b.x || (a.id < b.id ? -1 : 1));
  const placed: Box[] = [];
  for (const home of [...first, ...rest]) {
    const box = { ...home };
    for (let inWay = touching(box, placed, gap); inWay.length > 0; inWay = touching(box, placed, gap)) {
      box.y = Math.max(...inWay.map((other) => other.y + other.height)) + gap;
    }
    placed.push(box);
  }
  return new Map(placed.map(({ id, x, y }) => [id, { x, y }]));
}

function touching(box: Box, placed: readonly Box[], gap: number): Box[] {
  return placed.filter((other) => near(box, other, gap));
}
