import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiProblem, unreachable } from "../wire/problem";
import { json } from "../wire/values";
import { Edits, PAUSE } from "./edits.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("Edits", () => {
  it("are sent once, when a person pauses", async () => {
    const send = vi.fn(async () => undefined);
    const edits = new Edits(send);
    for (const text of ["f", "fo", "fox"]) {
      edits.set("a", json(text));
      await vi.advanceTimersByTimeAsync(PAUSE / 2);
    }
    expect(send).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(PAUSE);
    expect(send.mock.calls).toEqual([[{ a: "fox" }]]);
    expect(edits.pending("a")).toBe(false);
  });

  it("are all there when a flush ends, and in order", async () => {
    const sent: unknown[] = [];
    const edits = new Edits(async (inputs) => {
      await new Promise((resolve) => setTimeout(resolve, sent.length === 0 ? 500 : 10));
      sent.push(inputs);
    });
    edits.set("a", json(1));
    void edits.flush();
    await vi.advanceTimersByTimeAsync(1);
    edits.set("a", json(2));
    const flushed = edits.flush();
    expect(edits.pending("a")).toBe(true);
    await vi.advanceTimersByTimeAsync(600);
    await flushed;
    expect(sent).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("are kept when the server does not answer, but not over a later edit", async () => {
    const send = vi.fn(async (_: Record<string, unknown>) => undefined as unknown);
    send.mockRejectedValueOnce(unreachable());
    const edits = new Edits(send);
    edits.set("a", json(1));
    edits.set("b", json(1));
    const failed = edits.flush();
    await Promise.resolve();
    edits.set("a", json(2));
    await expect(failed).rejects.toThrow("does not answer");
    await edits.flush();
    expect(send.mock.lastCall).toEqual([{ a: 2, b: 1 }]);
  });

  it("say why they were refused, until the next one", async () => {
    const edits = new Edits(async () => {
      throw new ApiProblem("Too small", 422, "It must be positive.");
    });
    edits.set("a", json(-1));
    await expect(edits.flush()).rejects.toThrow("Too small");
    expect(edits.refused.get("a")?.detail).toBe("It must be positive.");
    expect(edits.pending("a")).toBe(false);
    edits.set("a", json(1));
    expect(edits.refused.size).toBe(0);
  });
});
