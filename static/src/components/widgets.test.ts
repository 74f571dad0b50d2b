import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Session } from "../state/session.svelte";
import { renderIn } from "../testing/render";
import { picture } from "../testing/wire";
import type { Value } from "../wire/messages";
import { json } from "../wire/values";
import Widget from "./Widget.svelte";

afterEach(cleanup);

function show(type: string, value: Value | undefined, config: Record<string, unknown> = {}, edit?: (value: Value) => void) {
  const session = new Session();
  const props = { component: { type, config }, name: "port", value, edit };
  return { session, ...renderIn(session, Widget, props) };
}

const BLOCKS = [
  "textbox", "number", "slider", "checkbox", "checkboxgroup", "radio", "dropdown", "colorpicker", "image", "audio", "video",
  "file", "gallery", "json", "label", "code", "markdown", "html", "somethingnew",
];

describe("a widget", () => {
  it.each(BLOCKS)("%s without a result says so, whole", (type) => {
    const { container } = show(type, undefined);
    expect(container.textContent).toContain("No result yet");
    expect(container.textContent).toContain("port");
  });

  it.each(BLOCKS)("%s shows a value it does not expect rather than nothing", (type) => {
    const { container } = show(type, json({ odd: ["value"] }));
    expect(container.textContent).toContain("odd");
  });

  it.each(BLOCKS)("%s describes a value that it cannot show", (type) => {
    const { container } = show(type, { kind: "opaque", text: "<Model 7B>" });
    expect(container.textContent).toContain("<Model 7B>");
  });

  it("reports what is typed into a textbox", async () => {
    const edit = vi.fn();
    show("textbox", json("old"), { label: "Idea", lines: 3, placeholder: "say" }, edit);
    const box = screen.getByLabelText<HTMLTextAreaElement>("Idea");
    expect([box.tagName, box.value, box.placeholder]).toEqual(["TEXTAREA", "old", "say"]);
    await fireEvent.input(box, { target: { value: "new" } });
    expect(edit).toHaveBeenCalledWith(json("new"));
  });

  it.each([
    ["scores by class", { dog: 0.25, cat: 0.75 }],
    ["Gradio's own form", { label: "cat", confidences: [{ label: "cat", confidence: 0.75 }, { label: "dog", confidence: 0.25 }] }],
    ["a class that is called label", { label: 0.75, dog: 0.25 }],
  ])("a label shows %s, the surest first", (_, value) => {
    const { container } = show("label", json(value));
    const [winner] = "label" in value && typeof value.label === "number" ? ["label"] : ["cat"];
    expect(container.querySelector(".winner")?.textContent).toBe(winner);
    expect([...container.querySelectorAll("dd")].map((one) => one.textContent)).toEqual(["75 %", "25 %"]);
  });

  it("does not show a password", () => {
    const { container } = show("textbox", json("hunter2"), { type: "password" });
    expect(container.textContent).not.toContain("hunter2");
  });

  it("sends the value of a choice, not its label", async () => {
    const edit = vi.fn();
    show("radio", json(1), { choices: [["One", 1], ["Two", 2]] }, edit);
    await fireEvent.click(screen.getByLabelText("Two"));
    expect(edit).toHaveBeenCalledWith(json(2));
  });

  it("keeps the order of the choices in a group", async () => {
    const edit = vi.fn();
    show("checkboxgroup", json(["c"]), { choices: [["a", "a"], ["b", "b"], ["c", "c"]] }, edit);
    await fireEvent.click(screen.getByLabelText("a"));
    expect(edit).toHaveBeenCalledWith(json(["a", "c"]));
  });

  it("shows a picture, opens it in full size and offers it for download", async () => {
    const { session } = show("image", picture, { label: "Cat" });
    expect(screen.getByRole<HTMLImageElement>("img", { name: "Cat" }).getAttribute("src")).toBe("/file/a1/cat.png");
    await fireEvent.click(screen.getByRole("button", { name: "Open Cat in full size" }));
    expect(session.lightbox.picture?.url).toBe("/file/a1/cat.png");
    expect(screen.getByRole("link", { name: "Download cat.png" }).getAttribute("download")).toBe("cat.png");
  });

  it("shows markdown as text, never as markup", () => {
    const { container } = show("markdown", json("<img src=x onerror=alert(1)>"));
    expect(container.querySelector("img")).toBeNull();
    expect(container.textContent).toContain("<img src=x");
  });

  it("says why the server refused a value", () => {
    const session = new Session();
    const props = { component: { type: "number", config: {} }, name: "n", value: json(-1), edit: vi.fn(), problem: "Too small." };
    renderIn(session, Widget, props);
    expect(screen.getByRole("alert").textContent).toBe("Too small.");
  });
});
