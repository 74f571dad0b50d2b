import type { Node } from "@xyflow/svelte";
import { describe, expect, it, vi } from "vitest";
import { Arrangement } from "./arrangement";

const node = (id: string, height: number, parts: Partial<Node> = {}): Node => ({
  id, position: { x: 0, y: 0 }, data: {}, measured: { width: 300, height }, ...parts,
});
const places = (nodes: Node[]) => Object.fromEntries(nodes.map(({ id, position }) => [id, position]));

async function laidOut(nodes: Node[], arrangement = new Arrangement()): Promise<[Arrangement, Node[]]> {
  expect(arrangement.observe(nodes)).toBe(true);
  await arrangement.arrange([{ source: "a", target: "b" }, { source: "a", target: "c" }]);
  return [arrangement, arrangement.applied(nodes)];
}

describe("an arrangement", () => {
  it("waits until every card has a size", () => {
    const arrangement = new Arrangement();
    const { measured: _, ...unmeasured } = node("b", 1);
    expect(arrangement.observe([node("a", 100), unmeasured])).toBe(false);
  });

  it("lays out once, then only makes room for what grows", async () => {
    const [arrangement, nodes] = await laidOut([node("a", 100), node("b", 100), node("c", 100)]);
    const [upper, lower] = nodes.slice(1).sort((one, other) => one.position.y - other.position.y);
    expect(arrangement.observe(nodes)).toBe(false);
    expect(arrangement.applied(nodes)).toBe(nodes);
    const grown = nodes.map((it) => (it.id === upper!.id ? { ...it, measured: { width: 300, height: 500 } } : it));
    expect(arrangement.observe(grown)).toBe(false);
    const after = places(arrangement.applied(grown));
    expect(after[upper!.id]).toEqual(upper!.position);
    expect(after["a"]).toEqual(places(nodes)["a"]);
    expect(after[lower!.id]!.y).toBeGreaterThanOrEqual(upper!.position.y + 500);
  });

  it("keeps what a person moved, also through a layout and the next visit", async () => {
    const onmoved = vi.fn();
    const [arrangement, nodes] = await laidOut([node("a", 100), node("b", 100), node("c", 100)], new Arrangement([], onmoved));
    const moved = nodes.map((it) => (it.id === "a" ? { ...it, position: { x: 70, y: -900 } } : it));
    arrangement.observe(moved);
    await arrangement.arrange([]);
    expect(places(arrangement.applied(moved))["a"]).toEqual({ x: 70, y: -900 });
    expect(onmoved).toHaveBeenCalledWith([["a", { x: 70, y: -900 }]]);
    const [, again] = await laidOut([node("a", 100), node("b", 100), node("c", 100)], new Arrangement(onmoved.mock.lastCall![0]));
    expect(places(again)["a"]).toEqual({ x: 70, y: -900 });
  });

  it("forgets moves when asked to arrange anew", async () => {
    const [arrangement, nodes] = await laidOut([node("a", 100), node("b", 100), node("c", 100)], new Arrangement([["a", { x: 5000, y: 0 }]]));
    expect(places(nodes)["a"]!.x).toBe(5000);
    arrangement.forget();
    await arrangement.arrange([{ source: "a", target: "b" }]);
    expect(places(arrangement.applied(nodes))["a"]!.x).toBe(0);
  });
});
