import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { Position } from "@xyflow/svelte";
import type { ComponentProps } from "svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Session } from "../state/session.svelte";
import { renderIn } from "../testing/render";
import { changed, edge, graphView, nodeCard, nodeState } from "../testing/wire";
import * as api from "../wire/api";
import type { NodeState, Value } from "../wire/messages";
import { json } from "../wire/values";
import NodeCardView from "./NodeCard.svelte";
import Wire from "./Wire.svelte";

afterEach(cleanup);

const textbox = { type: "textbox", config: { label: "Out" } };
const blur = nodeCard("blur", {
  inputs: [
    { name: "image", source: "edge", text: "", optional: false },
    { name: "seed", source: "sampled", text: "random.random", optional: false },
  ],
  outputs: [
    { name: "out", component: textbox },
    { name: "hidden", component: { type: "textbox", config: { visible: false } } },
  ],
});

function session(state: Partial<NodeState>): Session {
  const made = new Session();
  made.graph.view = graphView({
    nodes: [nodeCard("draw"), blur],
    edges: [edge("e1", { source: "draw", source_port: "image", target: "blur", target_port: "image" })],
  });
  made.connection.status = "open";
  made.sheet.apply(changed(1, { nodes: { blur: nodeState(state) }, edges: { e1: state.fresh ?? false } }));
  return made;
}

function card(state: Partial<NodeState>) {
  const around = session(state);
  const { container } = renderIn(around, NodeCardView, { node: blur, Port: undefined });
  return { around, article: container.querySelector("article")! };
}

describe("a node's card", () => {
  it("shows an error with what to do, and copies it whole", async () => {
    const write = vi.fn(async () => undefined);
    vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText: write } });
    const { article } = card({ status: "failed", error: { title: "ValueError", detail: "line 3", hint: "Use a number." } });
    expect(article.dataset["status"]).toBe("failed");
    expect(article.textContent).toMatch(/Failed.*ValueError.*line 3.*Use a number\./s);
    await fireEvent.click(screen.getByRole("button", { name: "Copy the error of blur" }));
    expect(write).toHaveBeenCalledWith("blur: ValueError\n\nline 3\n\nUse a number.");
    vi.unstubAllGlobals();
  });

  it("says quietly why a result is stale", () => {
    const { article } = card({ status: "done", fresh: false, reason: "image changed", outputs: { out: json("x") }, seconds: 2 });
    expect(article.dataset["fresh"]).toBe("false");
    expect(article.textContent).toMatch(/Stale · 2\.0 s.*image changed/s);
  });

  it("leaves out what is not visible, and says where unwired values come from", () => {
    const { article } = card({});
    expect(article.querySelectorAll("[data-component]")).toHaveLength(1);
    expect(article.textContent).toContain("random.random");
  });

  it("asks for a run, and for none while one is under way or the connection is lost", async () => {
    const { around } = card({ status: "idle" });
    const run = vi.spyOn(around, "run").mockResolvedValue();
    const button = screen.getByRole<HTMLButtonElement>("button", { name: "Run blur" });
    await fireEvent.click(button);
    expect(run).toHaveBeenLastCalledWith("blur", "to_here");
    await fireEvent.click(button, { shiftKey: true });
    expect(run).toHaveBeenLastCalledWith("blur", "step");
    await fireEvent.click(button, { altKey: true });
    expect(run).toHaveBeenLastCalledWith("blur", "force");
    around.connection.status = "lost";
    await vi.waitFor(() => expect(button.disabled).toBe(true));
    around.connection.status = "open";
    around.sheet.apply(changed(2, { nodes: { blur: nodeState({ status: "queued" }) } }));
    await vi.waitFor(() => expect(button.disabled).toBe(true));
  });

  it("stops what runs, once", async () => {
    const { around } = card({ status: "running", run: "job1" });
    const stop = vi.spyOn(api, "stopRun").mockResolvedValue({ version: 1, seq: 1 });
    const button = screen.getByRole<HTMLButtonElement>("button", { name: "Stop blur" });
    expect(screen.queryByRole("button", { name: "Run blur" })).toBeNull();
    await fireEvent.click(button);
    expect(stop).toHaveBeenCalledWith("", "job1");
    await vi.waitFor(() => expect([button.disabled, button.textContent?.trim()]).toEqual([true, "Stopping…"]));
    around.sheet.apply(changed(2, { nodes: { blur: nodeState({ status: "stopped" }) } }));
    expect(await screen.findByRole("button", { name: "Run blur" })).toBeTruthy();
  });

  it("says quietly that it was stopped, and what to do if it cannot be", () => {
    const error = { title: "'blur' is still running and cannot be stopped", detail: "", hint: "Use isolate=True." };
    const { article } = card({ status: "stopped", error });
    expect(article.textContent).toMatch(/Stopped.*cannot be stopped.*isolate=True/s);
    expect(screen.getByRole("group", { name: "How blur ended" }).classList.contains("stopped")).toBe(true);
  });

  it.each([
    [{ status: "done", items: { done: 12, failed: 0, total: 12 } }, "12 items"],
    [{ status: "failed", items: { done: 10, failed: 2, total: 12 } }, "12 items · 2 failed"],
    [{ status: "running", items: { done: 7, failed: 0, total: 12 } }, "7 of 12"],
  ] as const)("counts items: %o", (state, text) => {
    expect(card(state).article.textContent).toContain(text);
  });

  it("shows what a status or kind that it does not know is called", () => {
    const { article } = card({ status: "paused" as NodeState["status"], outputs: { out: { kind: "new", text: "x" } as unknown as Value } });
    expect(article.textContent).toContain("paused");
  });

  it.each([
    [{ index: 1, total: 2 }, "1/2", true, false, 2],
    [{ index: 2, total: 2 }, "2/2", false, true, 1],
    [{ index: 0, total: 2 }, "–/2", false, true, 2],
  ])("steps through %o", async (history, text, first, last, to) => {
    const { around, article } = card({ status: "done", history });
    const select = vi.spyOn(around, "select").mockResolvedValue();
    const [back, on] = ["Previous", "Next"].map((word) => screen.getByRole<HTMLButtonElement>("button", { name: `${word} result of blur` }));
    expect([article.querySelector(".at")?.textContent, back!.disabled, on!.disabled]).toEqual([text, first, last]);
    await fireEvent.click(first ? on! : back!);
    expect(select).toHaveBeenCalledWith("blur", to);
  });
});

describe("an edge", () => {
  const place = { sourceX: 0, sourceY: 0, targetX: 100, targetY: 0, sourcePosition: Position.Right, targetPosition: Position.Left };

  it.each([
    [{ status: "done", fresh: true }, "true", ["fresh"]],
    [{ status: "done", fresh: false }, "false", []],
    [{ status: "running", fresh: false }, "false", ["flowing"]],
  ] as const)("of a node that is %o", (state, fresh, classes) => {
    const around = session(state);
    const props = { id: "e1", type: "wire", source: "draw", target: "blur", ...place, data: { wire: around.graph.wires[0] } };
    const { container } = renderIn(around, Wire, props as ComponentProps<typeof Wire>);
    const group = container.querySelector<SVGGElement>("[data-edge-id=e1]")!;
    expect(group.getAttribute("data-fresh")).toBe(fresh);
    expect(["fresh", "flowing"].filter((name) => group.classList.contains(name))).toEqual(classes);
  });
});

describe("the live region", () => {
  it("says when a node ended, and how", () => {
    const around = session({ status: "running" });
    const before = (name: string): NodeState => around.sheet.node(name);
    around.notices.speak(changed(2, { nodes: { blur: nodeState({ status: "done", seconds: 0.3 }) } }), before);
    expect(around.notices.spoken).toBe("blur finished in 0.3 s");
    const error = { title: "ValueError", detail: "", hint: "" };
    around.notices.speak(changed(3, { nodes: { blur: nodeState({ status: "failed", error }) } }), before);
    expect(around.notices.spoken).toBe("blur failed: ValueError");
  });
});
