/** The way of an edge: straight to its target, or past the cards that are in between. */

import type { Box, Point } from "./box";

/** Clear space between an edge and the cards it passes. */
const CLEAR = 10;
/** Where edges pass a card; less than half of what is between two cards. */
const BESIDE = 12;
/** How far an edge swings out to turn back. */
const TURN = 48;

/**
 * An SVG path from one handle to another. `boxes` are the cards, those of the handles included: handles are on the
 * frames of their cards, so these are never between them.
 */
export function route(from: Point, to: Point, boxes: readonly Box[]): string {
  if (to.x < from.x) return backward(from, to, boxes);
  const between = boxes.filter((box) => box.x > from.x && box.x + box.width < to.x);
  if (!between.some((box) => crosses(from, to, box))) return `M${from.x},${from.y}${curve(from, to)}`;
  const y = channel(from, to, between);
  const enter = { x: Math.min(...between.map((box) => box.x)) - CLEAR, y };
  const leave = { x: Math.max(...between.map((box) => box.x + box.width)) + CLEAR, y };
  return `M${from.x},${from.y}${curve(from, enter)}L${leave.x},${leave.y}${curve(leave, to)}`;
}

/** Horizontal at both ends. */
function curve(from: Point, to: Point): string {
  const pull = (to.x - from.x) / 2;
  return `C${from.x + pull},${from.y} ${to.x - pull},${to.y} ${to.x},${to.y}`;
}

/** To a target on the left, where somebody moved it: back between the cards that are over and under each other. */
function backward(from: Point, to: Point, boxes: readonly Box[]): string {
  const between = boxes.filter((box) => box.x < from.x + TURN && box.x + box.width > to.x - TURN);
  const y = channel(from, to, between);
  const turn = (x: number, out: number, start: number, end: number): string => `C${x + out},${start} ${x + out},${end} ${x},${end}`;
  return `M${from.x},${from.y}${turn(from.x, TURN, from.y, y)}L${to.x},${y}${turn(to.x, -TURN, y, to.y)}`;
}

/** Whether the curve comes too near to a card. */
function crosses(from: Point, to: Point, box: Box): boolean {
  const pull = (to.x - from.x) / 2;
  for (let step = 0; step <= 32; step += 1) {
    const t = step / 32;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
    const x = a * from.x + b * (from.x + pull) + c * (to.x - pull) + d * to.x;
    const y = (a + b) * from.y + (c + d) * to.y;
    if (x > box.x - CLEAR && x < box.x + box.width + CLEAR && !free(y, [box])) return true;
  }
  return false;
}

/** The height at which nothing is in the way, with the shortest detour. */
function channel(from: Point, to: Point, between: readonly Box[]): number {
  const levels = between.flatMap((box) => [box.y - BESIDE, box.y + box.height + BESIDE]);
  const detour = (y: number): number => Math.abs(y - from.y) + Math.abs(y - to.y);
  const open = [from.y, to.y, ...levels].filter((y) => free(y, between));
  return open.reduce((best, y) => (detour(y) < detour(best) ? y : best), open[0] ?? from.y);
}

function free(y: number, boxes: readonly Box[]): boolean {
  return boxes.every((box) => y < box.y - CLEAR || y > box.y + box.height + CLEAR);
}
