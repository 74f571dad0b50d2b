/** This tab's work with one sheet: loads it, follows its events, and carries out what a person does. */

import { createContext } from "svelte";
import { SvelteSet } from "svelte/reactivity";
import * as api from "../wire/api";
import type { Event, FileValue, RunRequest, Value } from "../wire/messages";
import { ApiProblem, asProblem } from "../wire/problem";
import { EventSocket, type SocketStatus } from "../wire/socket";
import { outgoing, plain } from "../wire/values";
import { Connection } from "./connection.svelte";
import { Edits } from "./edits.svelte";
import { Graph } from "./graph.svelte";
import { Lightbox } from "./lightbox.svelte";
import { Notices } from "./notices.svelte";
import { Sheet } from "./sheet.svelte";

export const [useSession, provideSession] = createContext<Session>();

const RETRY_SECONDS = 2;
/** After so many failed attempts in a row we ask whether our sheet still exists. */
const ASK_AFTER = 3;

export class Session {
  readonly sheet = new Sheet();
  readonly graph = new Graph((input) => plain(this.sheet.inputs.get(input)));
  readonly connection = new Connection();
  readonly notices = new Notices();
  readonly lightbox = new Lightbox();
  readonly edits: Edits;
  /** Nodes whose run is being asked for; "" stands for all. */
  readonly starting = new SvelteSet<string>();
  /** Runs that were asked to stop. */
  readonly stopping = new SvelteSet<string>();
  /** Edits of outputs on their way. */
  #saving: Promise<unknown> = Promise.resolve();
  #tab = tabId();
  /** The input whose widget has the focus, and the echo of our own edit that it did not take in meanwhile. */
  #focused: string | null = null;
  #echo: Value | null = null;
  #socket: EventSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    this.edits = new Edits((inputs) => api.editInputs(this.sheet.id, { inputs, tab: this.#tab }));
  }

  /** Load the first sheet and follow it; when the server is not there yet, again until it is. */
  async start(): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    const { connection } = this;
    try {
      const { sheets } = await api.listSheets();
      if (sheets[0] === undefined) throw new ApiProblem("There is no sheet", 404, "The server has no sheet for you.", "Reload the page.");
      connection.problem = null;
      this.#follow(sheets[0].sheet_id);
    } catch (error) {
      const problem = asProblem(error);
      connection.problem = problem;
      connection.retrying = problem.passing;
      if (problem.passing) this.#retry = setTimeout(() => void this.start(), 1000 * (problem.retryAfter ?? RETRY_SECONDS));
    }
  }

  stop(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#socket?.close();
  }

  /** The browser came online or the tab into view. */
  hurry(): void {
    this.#socket?.hurry();
  }

  focus(input: string): void {
    this.#focused = input;
    this.#echo = null;
  }

  /** The widget of an input was left: now it may show what the server made of the edit. */
  blur(input: string): void {
    if (this.#echo !== null && input === this.#focused && !this.edits.pending(input)) this.sheet.inputs.set(input, this.#echo);
    this.#focused = this.#echo = null;
  }

  edit(id: string, value: Value): void {
    this.#echo = null;
    this.sheet.inputs.set(id, value);
    this.edits.set(id, value);
  }

  /** Run a node and what it needs, or with null everything that is not fresh. Edits are sent first. */
  async run(node: string | null, mode: RunRequest["mode"] = node === null ? "all" : "to_here"): Promise<void> {
    const key = node ?? "";
    if (this.starting.has(key)) return;
    this.starting.add(key);
    try {
      await this.#confirmed();
      await api.startRun(this.sheet.id, { node, mode, tab: this.#tab });
    } catch (error) {
      this.notices.tell(node === null ? "Not run" : `${node} was not run`, asProblem(error));
    } finally {
      this.starting.delete(key);
    }
  }

  /** Whether a node runs or waits to. */
  busy(node: string): boolean {
    const { status } = this.sheet.node(node);
    return status === "running" || status === "queued";
  }

  /** Stop a run. That it has ended meanwhile is no news. */
  async halt(node: string, run: string): Promise<void> {
    this.stopping.add(run);
    try {
      await api.stopRun(this.sheet.id, run);
    } catch (error) {
      this.stopping.delete(run);
      const problem = asProblem(error);
      if (problem.status !== 404) this.notices.tell(`${node} was not stopped`, problem);
    }
  }

  /** Answer what a node asks. Says whether the answer was taken. */
  async answer(node: string, value: Value): Promise<boolean> {
    try {
      await this.#confirmed();
      await api.answer(this.sheet.id, { node, answer: outgoing(value), tab: this.#tab });
      return true;
    } catch (error) {
      this.notices.tell(`${node} did not take the answer`, asProblem(error));
      return false;
    }
  }

  /** Put another value in place of what a node gave. */
  editOutput(node: string, port: string, value: Value): Promise<void> {
    const save = async (): Promise<void> => {
      try {
        await api.editOutputs(this.sheet.id, { node, outputs: { [port]: outgoing(value) }, tab: this.#tab });
      } catch (error) {
        this.notices.tell(`${node} was not changed`, asProblem(error));
      }
    };
    const saved = this.#saving.then(save);
    this.#saving = saved;
    return saved;
  }

  /** Resolves when all that a person has changed so far is with the server. */
  async #confirmed(): Promise<void> {
    await this.#saving;
    await this.edits.flush();
  }

  async select(node: string, index: number): Promise<void> {
    try {
      await this.#confirmed();
      const { missing } = await api.selectHead(this.sheet.id, { node, index, tab: this.#tab });
      if (missing.length > 0) {
        const title = `Result ${index} of ${node} is shown as far as it is kept`;
        this.notices.tell(title, new ApiProblem(title, 200, missing.join(" "), "Run the node again to have it all."));
      }
    } catch (error) {
      this.notices.tell(`Result ${index} of ${node} cannot be shown`, asProblem(error));
    }
  }

  upload(file: File): Promise<FileValue> {
    return api.upload(file);
  }

  #follow(sheet: string): void {
    this.#socket?.close();
    this.#socket = new EventSocket({
      sheet,
      onevent: (event) => this.#receive(event),
      ongone: () => void this.start(),
      onstatus: (status, failures) => this.#noteStatus(status, failures),
    });
  }

  #receive(event: Event): void {
    this.notices.speak(event, (name) => this.sheet.node(name));
    if (event.type === "snapshot" && event.epoch !== this.graph.view?.epoch) this.graph.view = event.graph;
    const told = event.type === "changed" && this.#focused !== null ? event.inputs[this.#focused] : undefined;
    if (told !== undefined) this.#echo = event.type === "changed" && event.by === this.#tab ? told : null;
    this.sheet.apply(event, (id, by) => this.edits.pending(id) || (by === this.#tab && id === this.#focused));
  }

  #noteStatus(status: SocketStatus, failures: number): void {
    this.connection.status = status;
    if (status === "open") void this.edits.flush().catch(() => undefined);
    if (status === "lost" && failures >= ASK_AFTER) void this.#ask();
  }

  /** The line does not open again: perhaps the sheet is gone, or we may no longer see it. */
  async #ask(): Promise<void> {
    try {
      const { sheets } = await api.listSheets();
      const first = sheets[0];
      if (first !== undefined && sheets.every(({ sheet_id }) => sheet_id !== this.sheet.id)) this.#follow(first.sheet_id);
    } catch (error) {
      const problem = asProblem(error);
      if (problem.passing) return;
      this.#socket?.close();
      this.connection.problem = problem;
      this.connection.retrying = false;
    }
  }
}

/** Not `randomUUID`, which browsers keep from pages without TLS. */
function tabId(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
