import { describe, expect, it } from "vitest";
import { changed, nodeState, snapshot } from "../testing/wire";
import { json } from "../wire/values";
import { Sheet } from "./sheet.svelte";

function sheet(): Sheet {
  const made = new Sheet();
  const event = snapshot(1);
  event.sheet.inputs = { a: json("one"), b: json(2) };
  event.sheet.nodes = { blur: nodeState({ status: "running" }), draw: nodeState({ status: "done", fresh: true }) };
  event.sheet.edges = { e1: true, e2: true };
  made.apply(event);
  return made;
}

describe("Sheet", () => {
  it("replaces what an event names, whole, and keeps the rest", () => {
    const it = sheet();
    it.apply(changed(2, { nodes: { draw: nodeState({ reason: "a changed" }) }, edges: { e2: false }, inputs: { a: json("1") } }));
    expect(it.node("draw")).toEqual(nodeState({ reason: "a changed" }));
    expect(it.node("blur").status).toBe("running");
    expect([...it.edges]).toEqual([["e1", true], ["e2", false]]);
    expect([...it.inputs.values()]).toEqual([json("1"), json(2)]);
    expect(it.version).toBe(2);
  });

  it("keeps an input that is being edited from older values", () => {
    const it = sheet();
    it.inputs.set("a", json("typed"));
    const held = (id: string): boolean => id === "a";
    it.apply(changed(2, { inputs: { a: json("older"), b: json(3) } }), held);
    it.apply(snapshot(3), held);
    expect(it.inputs.get("a")).toBeUndefined(); // the input is gone from the graph
    it.inputs.set("a", json("typed"));
    const again = snapshot(4);
    again.sheet.inputs = { a: json("older") };
    it.apply(again, held);
    expect(it.inputs.get("a")).toEqual(json("typed"));
  });

  it("adds to the log, and takes the log of a state as the whole", () => {
    const it = sheet();
    it.apply({ type: "log", seq: 2, node: "blur", text: "one\n" });
    it.apply({ type: "log", seq: 3, node: "blur", text: "two\n" });
    expect(it.node("blur").log).toBe("one\ntwo\n");
    it.apply(changed(4, { nodes: { blur: nodeState({ status: "done", log: "one\ntwo\nthree\n" }) } }));
    expect(it.node("blur").log).toBe("one\ntwo\nthree\n");
  });

  it("forgets the progress of a node that ended", () => {
    const it = sheet();
    it.apply({ type: "progress", seq: 2, node: "blur", fraction: 0.5, text: "step 1/2" });
    it.apply(changed(3, { nodes: { blur: nodeState({ status: "running" }) } }));
    expect(it.progress.get("blur")).toEqual({ fraction: 0.5, text: "step 1/2" });
    it.apply(changed(4, { nodes: { blur: nodeState({ status: "done" }) } }));
    expect(it.progress.size).toBe(0);
  });
});
