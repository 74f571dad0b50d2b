/**
 * The stream of events of one sheet. It reconnects by itself and resumes after the last event it saw, so a listener
 * sees each event once and in order; after a restart of the server it sees a snapshot.
 */

import type { Event } from "./messages";

export type SocketStatus = "connecting" | "open" | "lost";

/** What we use of a WebSocket. */
export interface Line {
  onopen: (() => void) | null;
  onmessage: ((message: { data: string }) => void) | null;
  onclose: ((ending: { code: number }) => void) | null;
  close(): void;
}

export interface SocketOptions {
  sheet: string;
  onevent: (event: Event) => void;
  /** `failures` counts the attempts since the line was last open. */
  onstatus: (status: SocketStatus, failures: number) => void;
  /** There is no such sheet, or not for us. The socket has given up. */
  ongone: () => void;
  dial?: (path: string) => Line;
  random?: () => number;
}

export const FIRST_WAIT = 400;
export const LONGEST_WAIT = 10_000;
/** A line that was open for so long, or brought something, was a good one: the next wait is short again. */
export const GOOD_LINE = 5_000;
export const GONE = 4404;

/** Milliseconds before attempt `failures`: doubling, capped, and spread so that many tabs do not come at once. */
export function wait(failures: number, random: () => number): number {
  const full = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.max(0, failures - 1));
  return full * (0.5 + 0.5 * random());
}

export class EventSocket {
  #options: Required<SocketOptions>;
  #line: Line | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #epoch: string | null = null;
  #seq = 0;
  #closed = false;

  constructor(options: SocketOptions) {
    this.#options = { dial: dialBrowser, random: Math.random, ...options };
    this.#dial();
  }

  /** Try now instead of when the wait is over: the browser came back online, or the tab into view. */
  hurry(): void {
    if (this.#timer !== null) this.#dial();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#line?.close();
  }

  #path(): string {
    const query = new URLSearchParams({ sheet: this.#options.sheet });
    if (this.#epoch !== null) {
      query.set("epoch", this.#epoch);
      query.set("after", String(this.#seq));
    }
    return `/api/events?${query}`;
  }

  #dial(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const line = this.#options.dial(this.#path());
    this.#line = line;
    let opened = Infinity;
    line.onopen = () => {
      opened = Date.now();
      this.#options.onstatus("open", 0);
    };
    line.onmessage = ({ data }) => {
      this.#failures = 0;
      this.#receive(JSON.parse(data) as Event);
    };
    line.onclose = ({ code }) => {
      if (this.#closed || this.#line !== line) return;
      this.#line = null;
      this.#failures = Date.now() - opened > GOOD_LINE ? 1 : this.#failures + 1;
      this.#options.onstatus("lost", this.#failures);
      if (code === GONE) {
        this.#closed = true;
        this.#options.ongone();
        return;
      }
      if (this.#closed) return; // the listener gave up
      this.#timer = setTimeout(() => this.#dial(), wait(this.#failures, this.#options.random));
    };
  }

  #receive(event: Event): void {
    if (event.type === "snapshot") this.#epoch = event.epoch;
    else if (event.seq <= this.#seq) return; // replayed although seen
    this.#seq = event.seq;
    this.#options.onevent(event);
  }
}

function dialBrowser(path: string): Line {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url) as Line;
}
