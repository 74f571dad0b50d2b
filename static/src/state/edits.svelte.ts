/**
 * Edits of inputs on their way to the server: shown at once, sent when a person pauses, one request at a time so that
 * a later edit never arrives before an earlier one. What no answer came for is kept and sent again.
 */

import { SvelteMap } from "svelte/reactivity";
import type { Value } from "../wire/messages";
import { asProblem, type ApiProblem } from "../wire/problem";
import { outgoing } from "../wire/values";

export const PAUSE = 250;

export class Edits {
  /** Why the server refused an input, until it is edited again. */
  readonly refused = new SvelteMap<string, ApiProblem>();
  #waiting = new Map<string, Value>();
  #flying = new Map<string, Value>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #last: Promise<void> = Promise.resolve();
  #send: (inputs: Record<string, unknown>) => Promise<unknown>;

  constructor(send: (inputs: Record<string, unknown>) => Promise<unknown>) {
    this.#send = send;
  }

  set(id: string, value: Value): void {
    this.refused.delete(id);
    this.#waiting.set(id, value);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush().catch(() => undefined), PAUSE);
  }

  /** Whether an edit of this input is not confirmed yet. */
  pending(id: string): boolean {
    return this.#waiting.has(id) || this.#flying.has(id);
  }

  /** Send what is waiting. Resolves when all edits made so far are confirmed; throws an ApiProblem when one is not. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const mine = this.#last.then(() => this.#post());
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #post(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const batch = this.#waiting;
    this.#waiting = new Map();
    this.#flying = batch;
    try {
      await this.#send(Object.fromEntries([...batch].map(([id, value]) => [id, outgoing(value)])));
    } catch (error) {
      const problem = asProblem(error);
      for (const [id, value] of batch) {
        if (this.#waiting.has(id)) continue;
        if (problem.passing) this.#waiting.set(id, value);
        else this.refused.set(id, problem);
      }
      throw problem;
    } finally {
      this.#flying = new Map();
    }
  }
}
