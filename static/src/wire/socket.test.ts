import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { changed, snapshot } from "../testing/wire";
import type { Event } from "./messages";
import { EventSocket, FIRST_WAIT, GONE, GOOD_LINE, LONGEST_WAIT, wait, type Line, type SocketStatus } from "./socket";

class FakeLine implements Line {
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((ending: { code: number }) => void) | null = null;

  constructor(readonly path: string) {}

  send(event: Event): void {
    this.onmessage?.({ data: JSON.stringify(event) });
  }

  close(code = 1006): void {
    this.onclose?.({ code });
  }
}

let lines: FakeLine[];
let seen: Event[];
let statuses: SocketStatus[];
let gone: number;
let socket: EventSocket;
const line = (): FakeLine => lines.at(-1)!;
const query = (): URLSearchParams => new URLSearchParams(line().path.split("?")[1]);

beforeEach(() => {
  vi.useFakeTimers();
  [lines, seen, statuses, gone] = [[], [], [], 0];
  socket = new EventSocket({
    sheet: "s1",
    onevent: (event) => seen.push(event),
    onstatus: (status) => statuses.push(status),
    ongone: () => (gone += 1),
    dial: (path) => {
      lines.push(new FakeLine(path));
      return line();
    },
    random: () => 1,
  });
});

afterEach(() => vi.useRealTimers());

describe("EventSocket", () => {
  it("first asks for everything, then for what it missed", () => {
    expect(Object.fromEntries(query())).toEqual({ sheet: "s1" });
    line().onopen?.();
    line().send(snapshot(7));
    line().send(changed(9));
    line().close();
    vi.advanceTimersByTime(FIRST_WAIT);
    expect(Object.fromEntries(query())).toEqual({ sheet: "s1", epoch: "e1", after: "9" });
    expect(statuses).toEqual(["open", "lost"]);
  });

  it("passes on no event twice", () => {
    line().send(snapshot(7));
    line().send(changed(8));
    line().send(changed(8));
    line().send(changed(7));
    expect(seen.map(({ seq }) => seq)).toEqual([7, 8]);
  });

  it("starts over with the snapshot of a restarted server, although its numbers are smaller", () => {
    line().send(snapshot(900));
    line().send(snapshot(1, { epoch: "e2" }));
    line().send(changed(2));
    line().close();
    vi.advanceTimersByTime(FIRST_WAIT);
    expect(Object.fromEntries(query())).toEqual({ sheet: "s1", epoch: "e2", after: "2" });
    expect(seen).toHaveLength(3);
  });

  it("waits longer each time, and starts anew once it was open", () => {
    line().close();
    vi.advanceTimersByTime(FIRST_WAIT);
    line().close();
    vi.advanceTimersByTime(2 * FIRST_WAIT - 1);
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(lines).toHaveLength(3);
    line().send(snapshot(1));
    line().close();
    vi.advanceTimersByTime(FIRST_WAIT);
    expect(lines).toHaveLength(4);
  });

  it("waits longer too when lines open and bring nothing, unless they held", () => {
    for (let failure = 1; failure < 4; failure += 1) {
      line().onopen?.();
      line().close();
      vi.advanceTimersByTime(LONGEST_WAIT);
    }
    line().onopen?.();
    vi.advanceTimersByTime(GOOD_LINE + 1);
    line().close();
    vi.advanceTimersByTime(FIRST_WAIT);
    expect(lines).toHaveLength(5);
  });

  it("gives up when the sheet is gone", () => {
    line().onopen?.();
    line().close(GONE);
    vi.advanceTimersByTime(LONGEST_WAIT);
    expect([lines.length, gone]).toEqual([1, 1]);
  });

  it("can be hurried, and closed for good", () => {
    line().close();
    socket.hurry();
    expect(lines).toHaveLength(2);
    socket.hurry();
    expect(lines).toHaveLength(2);
    socket.close();
    vi.advanceTimersByTime(LONGEST_WAIT);
    expect(lines).toHaveLength(2);
  });
});

it("spreads its waits and caps them", () => {
  expect(wait(1, () => 0)).toBe(FIRST_WAIT / 2);
  expect(wait(2, () => 1)).toBe(FIRST_WAIT * 2);
  expect(wait(60, () => 1)).toBe(LONGEST_WAIT);
});
