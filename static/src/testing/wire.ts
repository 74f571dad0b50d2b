/** Messages for tests, complete and with nothing in them. */

import type { Changed, EdgeView, FileValue, GraphView, NodeCard, NodeState, Snapshot, VariantView } from "../wire/messages";

export const nodeState = (parts: Partial<NodeState> = {}): NodeState => ({
  status: "idle", fresh: false, reason: "", outputs: {}, history: null, started_at: null, seconds: null,
  predicted_seconds: null, error: null, notes: [], revision: "", log: "", run: "", items: null, asks: null, ...parts,
});

export const nodeCard = (name: string, parts: Partial<NodeCard> = {}): NodeCard => ({
  name, kind: "fn", inputs: [], outputs: [], subtitle: "", link: null, where: null,
  question: "", variants: [], selects: "", ...parts,
});

export const variant = (name: string, parts: Partial<VariantView> = {}): VariantView => ({
  name, kind: "fn", inputs: [], fields: [], subtitle: "", link: null, question: "", ...parts,
});

export const edge = (id: string, parts: Partial<EdgeView>): EdgeView => ({
  id, source: "", source_port: "", target: "", target_port: "", mode: "whole", variants: [], ...parts,
});

export const graphView = (parts: Partial<GraphView> = {}): GraphView => ({
  name: "graph", epoch: "e1", persistent: true, nodes: [], inputs: [], edges: [], ...parts,
});

export const snapshot = (seq: number, parts: Partial<Snapshot> = {}): Snapshot => ({
  type: "snapshot", seq, epoch: "e1", graph: graphView(),
  sheet: { sheet_id: "s1", name: "Sheet 1", created_at: 0, updated_at: 0, version: 1, inputs: {}, nodes: {}, edges: {} },
  ...parts,
});

export const changed = (seq: number, parts: Partial<Changed> = {}): Changed => ({
  type: "changed", seq, version: seq, by: "", inputs: {}, nodes: {}, edges: {}, ...parts,
});

export const picture: FileValue = {
  kind: "file", artifact: "a1", name: "cat.png", url: "/file/a1/cat.png", mime: "image/png", size: 2048,
};
