/** One sheet as this tab sees it: the server's state, changed by its events, and by edits before they are confirmed. */

import { SvelteMap } from "svelte/reactivity";
import type { Event, NodeState, SheetView, Value } from "../wire/messages";

export interface Progress {
  fraction: number | null;
  text: string;
}

export const IDLE: NodeState = {
  status: "idle", fresh: false, reason: "", outputs: {}, history: null, started_at: null, seconds: null,
  predicted_seconds: null, error: null, notes: [], revision: "", log: "", run: "", items: null, asks: null,
};

/** Whether a confirmed input must not replace what this tab shows, being older than what a person is typing. */
export type Held = (input: string, by: string) => boolean;

export class Sheet {
  id = $state("");
  name = $state("");
  version = $state(0);
  readonly inputs = new SvelteMap<string, Value>();
  readonly nodes = new SvelteMap<string, NodeState>();
  readonly edges = new SvelteMap<string, boolean>();
  readonly progress = new SvelteMap<string, Progress>();

  node(name: string): NodeState {
    return this.nodes.get(name) ?? IDLE;
  }

  /** Take in an event. Each value replaces the one before it; what an event does not name stays. */
  apply(event: Event, held: Held = () => false): void {
    switch (event.type) {
      case "snapshot":
        this.#replace(event.sheet, held);
        break;
      case "changed":
        this.version = event.version;
        for (const [id, value] of Object.entries(event.inputs)) if (!held(id, event.by)) this.inputs.set(id, value);
        for (const [name, state] of Object.entries(event.nodes)) {
          this.nodes.set(name, state);
          if (state.status !== "running" && state.status !== "queued") this.progress.delete(name);
        }
        for (const [id, fresh] of Object.entries(event.edges)) this.edges.set(id, fresh);
        break;
      case "progress":
        this.progress.set(event.node, { fraction: event.fraction, text: event.text });
        break;
      case "gave": {
        const state = this.node(event.node);
        this.nodes.set(event.node, { ...state, outputs: { ...state.outputs, ...event.outputs } });
        break;
      }
      case "log": {
        const state = this.node(event.node);
        this.nodes.set(event.node, { ...state, log: state.log + event.text });
        break;
      }
    }
  }

  #replace(view: SheetView, held: Held): void {
    this.id = view.sheet_id;
    this.name = view.name;
    this.version = view.version;
    refill(this.inputs, view.inputs, (id) => held(id, ""));
    refill(this.nodes, view.nodes);
    refill(this.edges, view.edges);
    this.progress.clear();
  }
}

function refill<T>(map: SvelteMap<string, T>, entries: Record<string, T>, kept: (key: string) => boolean = () => false): void {
  for (const key of [...map.keys()]) if (!(key in entries)) map.delete(key);
  for (const [key, value] of Object.entries(entries)) if (!kept(key)) map.set(key, value);
}
