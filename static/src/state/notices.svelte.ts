/** What the page tells a person besides its cards: problems to see, and endings to hear for those who do not see. */

import type { Event, NodeState } from "../wire/messages";
import type { ApiProblem } from "../wire/problem";
import { duration, sentences } from "../components/format";

export interface Notice {
  id: number;
  title: string;
  detail: string;
  hint: string;
}

export class Notices {
  shown = $state.raw<Notice[]>([]);
  /** The text of the live region. */
  spoken = $state("");
  #next = 1;

  tell(title: string, problem: ApiProblem): void {
    const detail = sentences(problem.title, problem.detail);
    const same = ({ title: t, detail: d }: Notice): boolean => t === title && d === detail;
    this.shown = [...this.shown.filter((notice) => !same(notice)), { id: this.#next++, title, detail, hint: problem.hint }];
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((notice) => notice.id !== id);
  }

  /** Say which nodes ended with an event, given the states before it. */
  speak(event: Event, before: (node: string) => NodeState): void {
    if (event.type !== "changed") return;
    const endings = Object.entries(event.nodes).map(([name, state]) => ending(name, before(name), state));
    const said = endings.filter((text) => text !== "").join(". ");
    if (said !== "") this.spoken = said;
  }
}

function ending(name: string, before: NodeState, now: NodeState): string {
  if (before.asks === null && now.asks !== null) return `${name} waits for your answer`;
  if (before.status === now.status) return "";
  if (now.status === "stopped") return `${name} was stopped`;
  if (now.status === "failed") return `${name} failed: ${now.error?.title ?? "no reason was given"}`;
  if (now.status !== "done" || (before.status !== "running" && before.status !== "queued")) return "";
  return now.seconds === null ? `${name} finished` : `${name} finished in ${duration(now.seconds)}`;
}
