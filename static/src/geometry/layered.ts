/** Cards in layers from left to right, by dagre, on their measured sizes. */

import { graphlib, layout } from "@dagrejs/dagre";
import type { Box, Point, Size } from "./box";
import { GAP, makeRoom } from "./room";

export interface LayoutRequest {
  cards: (Size & { id: string })[];
  /** Ids of cards. Several wires between two cards pull them harder together. */
  wires: { source: string; target: string; /** The port's place among those of its card. */ port?: number }[];
}

export type Places = [id: string, place: Point][];

const BETWEEN_LAYERS = 88;

export function layered({ cards, wires }: LayoutRequest): Places {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ranksep: BETWEEN_LAYERS, nodesep: GAP + 8, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of cards) graph.setNode(id, { width, height });
  const weights = new Map<string, number>();
  for (const { source, target } of wires) {
    const key = JSON.stringify([source, target]);
    const weight = (weights.get(key) ?? 0) + 1;
    weights.set(key, weight);
    graph.setEdge(source, target, { weight });
  }
  layout(graph);
  const boxes: Box[] = cards.map(({ id, width, height }) => {
    const middle = graph.node(id) as Point;
    return { id, width, height, x: Math.round(middle.x - width / 2), y: Math.round(middle.y - height / 2) };
  });
  untangle(boxes, wires);
  return [...makeRoom(boxes)];
}

/** Cards that feed only the same one, in the order of the ports they feed: dagre knows no ports. */
function untangle(boxes: readonly Box[], wires: LayoutRequest["wires"]): void {
  const ends = new Map<string, Set<string>>();
  const first = new Map<string, number>();
  for (const { source, target, port = 0 } of wires) {
    ends.set(source, (ends.get(source) ?? new Set()).add(target));
    first.set(source, Math.min(port, first.get(source) ?? Infinity));
  }
  const groups = new Map<string, Box[]>();
  for (const box of boxes) {
    const [target, ...others] = ends.get(box.id) ?? [];
    if (target === undefined || others.length > 0) continue;
    const key = JSON.stringify([target, box.x + box.width / 2]);
    groups.set(key, [...(groups.get(key) ?? []), box]);
  }
  for (const group of groups.values()) {
    const slots = group.map(({ y }) => y).sort((a, b) => a - b);
    const wanted = [...group].sort((a, b) => first.get(a.id)! - first.get(b.id)!);
    // the first slot is exact; the others only give the order, and making room gives the rest
    wanted.forEach((box, index) => (box.y = slots[index]!));
  }
}
