/** Cards in layers from left to right, by dagre, on their measured sizes. */

import { graphlib, layout } from "@dagrejs/dagre";
import type { Box, Point, Size } from "./box";
import { GAP, makeRoom } from "./room";

export interface LayoutRequest {
  cards: (Size & { id: string })[];
  /** Ids of cards. Several wires between two cards pull them harder together. */
  wires: { source: string; target: string }[];
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
  return [...makeRoom(boxes)];
}
