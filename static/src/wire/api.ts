/** The requests of the canvas. Every refusal is thrown as an ApiProblem. */

import type {
  Accepted, AnswerRequest, FileValue, HeadSelect, HeadSelected, InputsEdit, OutputsEdit, RunAccepted, RunRequest, SheetList,
} from "./messages";
import { problemOf, unreachable } from "./problem";

async function request<Reply>(method: string, path: string, body?: BodyInit, type = "application/json"): Promise<Reply> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = type;
  let reply: Response;
  try {
    reply = await fetch(path, { method, headers, ...(body === undefined ? {} : { body }) });
  } catch {
    throw unreachable();
  }
  if (!reply.ok) throw await problemOf(reply);
  return (await reply.json()) as Reply;
}

const sheet = (id: string, part: string): string => `/api/sheets/${encodeURIComponent(id)}/${part}`;

export const listSheets = (): Promise<SheetList> => request("GET", "/api/sheets");

export const editInputs = (id: string, edit: InputsEdit): Promise<Accepted> =>
  request("PATCH", sheet(id, "inputs"), JSON.stringify(edit));

export const startRun = (id: string, run: RunRequest): Promise<RunAccepted> =>
  request("POST", sheet(id, "runs"), JSON.stringify(run));

export const stopRun = (id: string, run: string): Promise<Accepted> =>
  request("DELETE", sheet(id, `runs/${encodeURIComponent(run)}`));

export const answer = (id: string, given: AnswerRequest): Promise<RunAccepted> =>
  request("POST", sheet(id, "nodes/answer"), JSON.stringify(given));

export const editOutputs = (id: string, edit: OutputsEdit): Promise<Accepted> =>
  request("PATCH", sheet(id, "outputs"), JSON.stringify(edit));

export const selectHead = (id: string, head: HeadSelect): Promise<HeadSelected> =>
  request("PATCH", sheet(id, "heads"), JSON.stringify(head));

export const upload = (file: File): Promise<FileValue> =>
  request("PUT", `/api/uploads?name=${encodeURIComponent(file.name)}`, file, file.type || "application/octet-stream");
