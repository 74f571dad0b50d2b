/** The graph on the canvas: what does not change while people use it, and what is derived from it. */

import { topological } from "../geometry/order";
import type { EdgeView, GraphView, InputCard, NodeCard, VariantView } from "../wire/messages";

export type Card = { id: string; name: string } & ({ kind: "node"; node: NodeCard } | { kind: "input"; input: InputCard });

/** An edge between cards by their ids here, and the handles it connects. */
export interface Wire {
  id: string;
  source: string;
  sourceHandle: string;
  target: string;
  targetHandle: string;
  /** The target port's place among those of its card. */
  port: number;
  view: EdgeView;
}

/** Ids of cards: nodes and input cards have names of their own that may coincide. */
const nodeId = (name: string): string => `node:${encodeURIComponent(name)}`;
const inputId = (id: string): string => `input:${encodeURIComponent(id)}`;

export class Graph {
  view = $state.raw<GraphView | null>(null);
  #selected: (input: string) => unknown;

  /** `selected` gives the value of an input, which says the variant of a choice. */
  constructor(selected: (input: string) => unknown = () => undefined) {
    this.#selected = selected;
  }

  readonly cards: Card[] = $derived(this.view === null ? [] : cardsOf(this.view));
  readonly #all: Wire[] = $derived(this.view === null ? [] : wiresOf(this.view));

  /** The selected variants, by the names of their choices. */
  readonly #variants: Map<string, VariantView> = $derived.by(() => {
    const choices = this.view?.nodes.filter(({ variants }) => variants.length > 0) ?? [];
    return new Map(
      choices.map(({ name, variants, selects }) => {
        const selected = this.#selected(selects);
        return [name, variants.find((variant) => variant.name === selected) ?? variants[0]!];
      }),
    );
  });

  /** The wires, but for those of variants that are not selected. */
  readonly wires: Wire[] = $derived(
    this.#all.filter(({ view: { target, variants } }) => {
      const variant = this.#variants.get(target);
      return variant === undefined || variants.length === 0 || variants.includes(variant.name);
    }),
  );

  /** What a choice does now; null for other nodes. */
  variant(node: NodeCard): VariantView | null {
    return this.#variants.get(node.name) ?? null;
  }

  /** The cards in reading order. */
  readonly ordered: Card[] = $derived.by(() => {
    const byId = new Map(this.cards.map((card) => [card.id, card]));
    return topological([...byId.keys()], this.wires).map((id) => byId.get(id)!);
  });

  /** By node name, the input ports that an edge reaches, and where it comes from. */
  readonly wired: Map<string, Map<string, string>> = $derived.by(() => {
    const ports = new Map<string, Map<string, string>>();
    const titles = new Map(this.view?.inputs.map((card) => [card.id, card.title]));
    for (const { view } of this.wires) {
      const known = ports.get(view.target) ?? new Map<string, string>();
      ports.set(view.target, known.set(view.target_port, titles.get(view.source) ?? `${view.source} · ${view.source_port}`));
    }
    return ports;
  });
}

function cardsOf(view: GraphView): Card[] {
  return [
    ...view.inputs.map((input): Card => ({ id: inputId(input.id), name: input.id, kind: "input", input })),
    ...view.nodes.map((node): Card => ({ id: nodeId(node.name), name: node.name, kind: "node", node })),
  ];
}

function wiresOf(view: GraphView): Wire[] {
  const inputs = new Map(view.inputs.map((card) => [card.id, card]));
  const nodes = new Map(view.nodes.map((node) => [node.name, node]));
  return view.edges.map((edge) => {
    const card = inputs.get(edge.source);
    const field = card?.fields.find(({ id, port }) => id === edge.source_port || port === edge.source_port);
    return {
      id: edge.id,
      source: card ? inputId(edge.source) : nodeId(edge.source),
      sourceHandle: field?.id ?? edge.source_port,
      target: nodeId(edge.target),
      targetHandle: edge.target_port,
      port: nodes.get(edge.target)?.inputs.findIndex(({ name }) => name === edge.target_port) ?? 0,
      view: edge,
    };
  });
}
