import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { tick } from "svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Session } from "../state/session.svelte";
import { renderIn } from "../testing/render";
import { picture } from "../testing/wire";
import type { ComponentView, Value } from "../wire/messages";
import { json } from "../wire/values";
import Widget from "./Widget.svelte";

afterEach(cleanup);

function show(component: ComponentView, value: Value, edit?: (value: Value) => void) {
  return renderIn(new Session(), Widget, { component, name: "port", value, edit });
}

describe("a list of items", () => {
  it("shows each in its component, and says what is not there", () => {
    const value: Value = { kind: "items", total: 250, shown: [json("one"), null, { kind: "opaque", text: "20 kB" }] };
    const { container } = show({ type: "textbox", config: {} }, value);
    expect(container.textContent).toMatch(/\[0\].*one.*\[1\].*no value.*\[2\].*20 kB.*247 more/s);
  });

  it("shows pictures beside each other", () => {
    show({ type: "image", config: {} }, { kind: "items", total: 2, shown: [picture, picture] });
    expect(screen.getAllByRole("img")).toHaveLength(2);
  });

  it.each(["textbox", "checkbox", "number", "json", "itemlist", "somethingnew"])("is never a blank: %s", (type) => {
    const { container } = show({ type, config: {} }, { kind: "items", total: 1, shown: [json({ odd: "value" })] });
    expect(container.textContent).toContain("odd");
  });
});

describe("an item list", () => {
  const component: ComponentView = {
    type: "itemlist",
    config: { schema: { who: { type: "textbox", config: { label: "Who" } }, sure: { type: "checkbox", config: { label: "Sure" } } } },
  };
  const rows = json([{ who: "A", sure: true, more: 1 }, { who: "B", sure: false }]);
  const who = () => screen.getAllByLabelText<HTMLInputElement>("Who").map(({ value }) => value);

  it("is saved once, whole, when the focus leaves it", async () => {
    const edit = vi.fn();
    show(component, rows, edit);
    const [, second] = screen.getAllByLabelText("Who");
    await fireEvent.input(second!, { target: { value: "C" } });
    await fireEvent.focusOut(second!, { relatedTarget: screen.getAllByLabelText("Sure")[1]! });
    expect(edit).not.toHaveBeenCalled();
    await fireEvent.focusOut(second!, { relatedTarget: document.body });
    expect(edit.mock.calls).toEqual([[json([{ who: "A", sure: true, more: 1 }, { who: "C", sure: false }])]]);
    expect(who()).toEqual(["A", "C"]);
  });

  it("is not saved when nothing is different", async () => {
    const edit = vi.fn();
    show(component, rows, edit);
    const [first] = screen.getAllByLabelText("Who");
    await fireEvent.input(first!, { target: { value: "X" } });
    await fireEvent.input(first!, { target: { value: "A" } });
    await fireEvent.focusOut(first!, { relatedTarget: null });
    expect(edit).not.toHaveBeenCalled();
  });

  it("takes rows and gives them up", async () => {
    const edit = vi.fn();
    show(component, rows, edit);
    await fireEvent.click(screen.getByRole("button", { name: "Remove row 1" }));
    expect(edit).toHaveBeenLastCalledWith(json([{ who: "B", sure: false }]));
    await fireEvent.click(screen.getByRole("button", { name: "Add row" }));
    await tick();
    expect(who()).toEqual(["B", ""]);
    expect(document.activeElement).toBe(screen.getAllByLabelText("Who")[1]);
    await fireEvent.focusOut(document.activeElement!, { relatedTarget: null });
    expect(edit).toHaveBeenLastCalledWith(json([{ who: "B", sure: false }, { who: "", sure: false }]));
  });

  it("only shows what cannot be edited now, whatever it is", () => {
    const { container } = show(component, rows);
    expect(container.textContent).toMatch(/A.*B/s);
    expect(screen.queryByRole("button", { name: "Add row" })).toBeNull();
    cleanup();
    expect(show(component, json({ odd: ["value"] })).container.textContent).toContain("odd");
  });
});
