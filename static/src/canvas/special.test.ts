import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Session } from "../state/session.svelte";
import { renderIn } from "../testing/render";
import { changed, edge, graphView, nodeCard, nodeState, picture, variant } from "../testing/wire";
import type { NodeCard, NodeState } from "../wire/messages";
import { json } from "../wire/values";
import NodeCardView from "./NodeCard.svelte";
import { options } from "./question";

afterEach(cleanup);

function card(node: NodeCard, state: Partial<NodeState> = {}, inputs: Record<string, unknown> = {}) {
  const around = new Session();
  around.graph.view = graphView({
    nodes: [node, nodeCard("before")],
    edges: [
      edge("shared", { source: "before", source_port: "x", target: node.name, target_port: "text", variants: ["loud", "soft"] }),
      edge("own", { source: "before", source_port: "y", target: node.name, target_port: "tail", variants: ["soft"] }),
    ],
  });
  around.connection.status = "open";
  const given = Object.fromEntries(Object.entries(inputs).map(([id, value]) => [id, json(value)]));
  around.sheet.apply(changed(1, { inputs: given, nodes: { [node.name]: nodeState(state) } }));
  const { container } = renderIn(around, NodeCardView, { node, Port: undefined });
  return { around, article: container.querySelector("article")! };
}

const port = (name: string, source: "edge" | "ui") => ({ name, source, text: "", optional: false });
const field = (id: string, label: string) => ({ id, port: id, component: { type: "textbox", config: { label } } });
const voice = nodeCard("voice", {
  kind: "choice",
  selects: "voice__variant",
  variants: [
    variant("loud", { inputs: [port("text", "edge"), port("marks", "ui")], fields: [field("voice__marks", "Marks")] }),
    variant("soft", { inputs: [port("text", "edge"), port("tail", "edge"), port("mood", "ui")], fields: [field("voice__mood", "Mood")], subtitle: "soft()" }),
  ],
});

describe("a choice's card", () => {
  it("shows the inputs, ports and wires of the selected variant alone", async () => {
    const { around, article } = card(voice, {}, { voice__variant: "loud", voice__marks: "3" });
    expect(screen.getByLabelText<HTMLInputElement>("loud").checked).toBe(true);
    expect(screen.getByLabelText<HTMLInputElement>("Marks").value).toBe("3");
    expect(screen.queryByLabelText("Mood")).toBeNull();
    expect(around.graph.wires.map(({ id }) => id)).toEqual(["shared"]);
    const edit = vi.spyOn(around.edits, "set");
    await fireEvent.click(screen.getByLabelText("soft"));
    expect(edit).toHaveBeenCalledWith("voice__variant", json("soft"));
    expect(await screen.findByLabelText("Mood")).toBeTruthy();
    expect(screen.queryByLabelText("Marks")).toBeNull();
    expect(around.graph.wires.map(({ id }) => id)).toEqual(["shared", "own"]);
    expect(article.textContent).toMatch(/soft\(\).*tail/s);
  });

  it("takes the first variant when the selected one is gone", () => {
    card(voice, {}, { voice__variant: "whisper" });
    expect(screen.getByLabelText<HTMLInputElement>("loud").checked).toBe(true);
  });
});

const ask = (question: NodeCard["question"], component: { type: string; config: Record<string, unknown> } | null = null) =>
  nodeCard("ask", { kind: "interaction", question, outputs: [{ name: "out", component }] });

describe("an interaction's card", () => {
  it.each([["Approve", true], ["Reject", false]])("lets a person %s", async (name, given) => {
    const { around, article } = card(ask("approve"), { asks: json("a draft") });
    const answer = vi.spyOn(around, "answer").mockResolvedValue(true);
    expect(article.textContent).toMatch(/Waits for you.*a draft/s);
    await fireEvent.click(screen.getByRole("button", { name }));
    expect(answer).toHaveBeenCalledWith("ask", json(given));
  });

  it("offers the options", async () => {
    const { around } = card(ask("choose_one"), { asks: json(["red", "blue"]) });
    const answer = vi.spyOn(around, "answer").mockResolvedValue(true);
    await fireEvent.click(screen.getByRole("button", { name: "Choose blue" }));
    expect(answer).toHaveBeenCalledWith("ask", json(1));
  });

  it.each(["text_input", "generic"] as const)("takes what is written: %s", async (question) => {
    const { around } = card(ask(question, { type: "textbox", config: { label: "Title" } }), { asks: json(null) });
    const answer = vi.spyOn(around, "answer").mockResolvedValue(true);
    const boxes = screen.getAllByLabelText("Title");
    expect(boxes).toHaveLength(1);
    await fireEvent.input(boxes[0]!, { target: { value: "Cats" } });
    await fireEvent.click(screen.getByRole("button", { name: "Send the answer to ask" }));
    expect(answer).toHaveBeenCalledWith("ask", json("Cats"));
  });

  it("sends what it shows, also when nothing was changed", async () => {
    const { around } = card(ask("generic", { type: "slider", config: { minimum: 2, maximum: 5 } }), { asks: json(null) });
    const answer = vi.spyOn(around, "answer").mockResolvedValue(true);
    await fireEvent.click(screen.getByRole("button", { name: "Send the answer to ask" }));
    expect(answer).toHaveBeenCalledWith("ask", json(2));
  });

  it("takes a picture, and not none", async () => {
    const { around } = card(ask("image_input"), { asks: json(null) });
    vi.spyOn(around, "upload").mockResolvedValue(picture);
    const answer = vi.spyOn(around, "answer").mockResolvedValue(true);
    const send = screen.getByRole<HTMLButtonElement>("button", { name: "Send the answer to ask" });
    expect(send.disabled).toBe(true);
    const zone = screen.getByLabelText("Image");
    await fireEvent.drop(zone, { dataTransfer: { files: [new File(["x"], "cat.png")] } });
    await vi.waitFor(() => expect(send.disabled).toBe(false));
    await fireEvent.click(send);
    expect(answer).toHaveBeenCalledWith("ask", picture);
  });

  it("asks nothing while it has nothing to ask about", () => {
    card(ask("approve"), { asks: null });
    expect(screen.queryByRole("group", { name: "ask asks" })).toBeNull();
  });
});

describe("options", () => {
  it.each([
    [json(["a", "b"]), [["a", 0], ["b", 1]]],
    [json([3, 0.5]), [["3", 3], ["0.5", 0.5]]],
    [json({ one: 1, two: 2 }), [["one", 0], ["two", 1]]],
    [json(null), []],
    [json(["/file/a1/x.png", "/file/a1/x.txt"]), [["picture 1", 0], ["x.txt", 1]]],
    [{ kind: "items" as const, total: 3, shown: [picture, null, json("b")] }, [["picture 1", 0], ["b", 1]]],
    [{ kind: "opaque" as const, text: "too large" }, [["too large", 0]]],
  ])("of %o", (asks, expected) => {
    expect(options(asks).map(({ label, answer }) => [label, answer])).toEqual(expected);
  });
});
