/** Where the cards of a canvas are: laid out once their sizes are known, moved by people, making way for each other. */

import type { Node } from "@xyflow/svelte";
import type { Box, Point } from "../geometry/box";
import { layout } from "../geometry/layout";
import type { LayoutRequest } from "../geometry/layered";
import { makeRoom } from "../geometry/room";
import type { Moved } from "./places";

export class Arrangement {
  /** Where each card wants to be. */
  #homes = new Map<string, Point>();
  /** Where each card is. */
  #places = new Map<string, Point>();
  /** Cards that a person moved, latest first. */
  #moved: string[] = [];
  #boxes: Box[] = [];
  /** The cards of the layout that is being made or was made last. */
  #laidOut = "";

  /** `moved` are places from an earlier visit, and `onmoved` is told when they change. */
  constructor(moved: Moved = [], private readonly onmoved: (moved: Moved) => void = () => undefined) {
    for (const [id, place] of moved) this.#homes.set(id, place);
    this.#moved = moved.map(([id]) => id);
  }

  place(id: string): Point | undefined {
    return this.#places.get(id);
  }

  /** Let go of what people moved. */
  forget(): void {
    this.#moved = [];
    this.onmoved([]);
  }

  /**
   * Take in the sizes of the cards, and the places of those that somebody moved. Says whether a layout is due: all
   * sizes are known, and some card has none of its places.
   */
  observe(nodes: readonly Node[]): boolean {
    const known = nodes.filter(({ measured }) => measured?.width && measured.height);
    if (nodes.length === 0 || known.length < nodes.length) return false;
    const before = this.#moved;
    for (const { id, position, dragging } of nodes) {
      const place = this.#places.get(id);
      if (dragging || place === undefined || (place.x === position.x && place.y === position.y)) continue;
      this.#homes.set(id, position);
      this.#moved = [id, ...this.#moved.filter((other) => other !== id)];
    }
    if (this.#moved !== before) this.onmoved(this.#moved.map((id) => [id, this.#homes.get(id)!]));
    this.#boxes = nodes.map(({ id, position, measured }) => ({
      id, ...(this.#homes.get(id) ?? position), width: measured!.width!, height: measured!.height!,
    }));
    const cards = nodes.map(({ id }) => id).join("\n");
    const due = cards !== this.#laidOut && nodes.some(({ id }) => !this.#homes.has(id) || this.#laidOut === "");
    if (due) this.#laidOut = cards;
    return due;
  }

  /** Lay out all cards anew; those that were moved stay. */
  async arrange(wires: LayoutRequest["wires"]): Promise<void> {
    const ids = new Set(this.#boxes.map(({ id }) => id));
    const places = await layout({
      cards: this.#boxes.map(({ id, width, height }) => ({ id, width, height })),
      wires: wires.filter(({ source, target }) => ids.has(source) && ids.has(target)),
    });
    const moved = new Set(this.#moved);
    for (const [id, place] of places) if (!moved.has(id)) this.#homes.set(id, place);
    this.#boxes = this.#boxes.map((box) => ({ ...box, ...this.#homes.get(box.id) }));
  }

  /** Where the cards are, for edges to find their ways. */
  boxes(): Box[] {
    return this.#boxes.map((box) => ({ ...box, ...this.#places.get(box.id) }));
  }

  /** The nodes at their places, without overlaps; the same array when nothing moves. */
  applied(nodes: Node[]): Node[] {
    if (nodes.some(({ dragging }) => dragging) || nodes.some(({ id }) => !this.#homes.has(id))) return nodes;
    this.#places = makeRoom(this.#boxes, this.#moved);
    let changed = false;
    const next = nodes.map((node) => {
      const place = this.#places.get(node.id);
      if (place === undefined || (place.x === node.position.x && place.y === node.position.y)) return node;
      changed = true;
      return { ...node, position: place };
    });
    return changed ? next : nodes;
  }
}
