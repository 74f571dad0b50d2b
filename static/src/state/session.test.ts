import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { changed, snapshot } from "../testing/wire";
import type { Event } from "../wire/messages";
import { json } from "../wire/values";
import { Session } from "./session.svelte";

interface Sent {
  method: string;
  path: string;
  body: { inputs?: Record<string, unknown>; node?: string | null; mode?: string; tab?: string };
}

let sent: Sent[];
let answers: ((request: Sent) => Response)[];
let session: Session;

class FakeSocket {
  static last: FakeSocket;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((ending: { code: number }) => void) | null = null;

  constructor() {
    FakeSocket.last = this;
  }

  close(): void {
    this.onclose?.({ code: 1000 });
  }
}

const receive = (event: Event): void => FakeSocket.last.onmessage?.({ data: JSON.stringify(event) });
const reply = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });
const sheets = { sheets: [{ sheet_id: "s1", name: "Sheet 1", created_at: 0, updated_at: 0 }], user_id: "u" };
const tab = (): string => sent.find(({ method }) => method === "PATCH")!.body.tab!;

beforeEach(async () => {
  [sent, answers] = [[], []];
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", async (path: string, { method, body }: { method: string; body?: string }) => {
    const request = { method, path, body: body === undefined ? {} : JSON.parse(body) };
    sent.push(request);
    return answers.shift()?.(request) ?? reply(path === "/api/sheets" ? sheets : { run: "r", version: 2, seq: 2 });
  });
  session = new Session();
  await session.start();
  FakeSocket.last.onopen?.();
  const first = snapshot(1);
  first.sheet.inputs = { a: json("old") };
  receive(first);
});

afterEach(() => {
  session.stop();
  vi.unstubAllGlobals();
});

describe("a session", () => {
  it("sends edits before it asks for a run", async () => {
    session.edit("a", json("new"));
    await session.run("blur");
    expect(sent.slice(1).map(({ method, path }) => `${method} ${path}`)).toEqual([
      "PATCH /api/sheets/s1/inputs", "POST /api/sheets/s1/runs",
    ]);
    expect(sent[1]!.body).toMatchObject({ inputs: { a: "new" } });
    expect(sent[2]!.body).toEqual({ node: "blur", mode: "to_here", tab: tab() });
  });

  it("asks for no run of what the server did not take, and says so", async () => {
    answers.push(() => reply({ title: "Too small", status: 422, detail: "It must be positive.", error: "", hint: "Use 1." }, 422));
    session.edit("a", json(-1));
    await session.run(null);
    expect(sent).toHaveLength(2);
    expect(session.notices.shown).toMatchObject([{ title: "Not run", detail: "Too small. It must be positive.", hint: "Use 1." }]);
    expect(session.edits.refused.get("a")?.hint).toBe("Use 1.");
  });

  it("keeps the echo of its own edit from a widget in use until that is left", async () => {
    session.focus("a");
    session.edit("a", json("new "));
    await session.edits.flush();
    receive(changed(2, { by: tab(), inputs: { a: json("new") } }));
    expect(session.sheet.inputs.get("a")).toEqual(json("new "));
    receive(changed(3, { by: "another tab", inputs: { a: json("theirs") } }));
    session.blur("a");
    expect(session.sheet.inputs.get("a")).toEqual(json("theirs"));
    session.focus("a");
    receive(changed(4, { by: tab(), inputs: { a: json("made of it") } }));
    session.blur("a");
    expect(session.sheet.inputs.get("a")).toEqual(json("made of it"));
  });

  it("takes the first sheet when its own is gone", async () => {
    const before = FakeSocket.last;
    before.onclose?.({ code: 4404 });
    await vi.waitFor(() => expect(FakeSocket.last).not.toBe(before));
    expect(session.connection.problem).toBeNull();
  });

  it("says what the server waits for, and tries again", async () => {
    vi.useFakeTimers();
    answers.push(() => reply({ title: "Starting", status: 503, detail: "Importing app.py.", error: "", hint: "" }, 503));
    await session.start();
    expect(session.connection.problem?.title).toBe("Starting");
    expect(session.connection.retrying).toBe(true);
    await vi.advanceTimersByTimeAsync(2500);
    expect(session.connection.problem).toBeNull();
    vi.useRealTimers();
  });
});
