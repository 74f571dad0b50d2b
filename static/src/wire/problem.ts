/** What went wrong with a request, in the server's words, or in ours when it did not answer. */

import type { Problem } from "./messages";

export class ApiProblem extends Error {
  override name = "ApiProblem";

  /** `status` is 0 when no answer came; `retryAfter` is in seconds. */
  constructor(
    readonly title: string,
    readonly status: number,
    readonly detail: string,
    readonly hint = "",
    readonly retryAfter: number | null = null,
  ) {
    super(detail ? `${title}: ${detail}` : title);
  }

  /** Whether the same request may well succeed a moment later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export function unreachable(): ApiProblem {
  return new ApiProblem(
    "The server does not answer",
    0,
    "No connection to the daggr server.",
    "Check that the script is still running in its terminal.",
  );
}

/** The problem that a refused reply carries; bodies that are no problem documents are described by their status. */
export async function problemOf(reply: Response): Promise<ApiProblem> {
  const seconds = Number(reply.headers.get("retry-after") ?? "");
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  let body: Partial<Problem> = {};
  try {
    const parsed: unknown = await reply.json();
    if (parsed !== null && typeof parsed === "object") body = parsed;
  } catch {
    // not JSON: the status line has to do
  }
  const title = body.title ?? (reply.statusText || `The server answered ${reply.status}`);
  return new ApiProblem(title, reply.status, body.detail ?? body.error ?? "", body.hint ?? "", retryAfter);
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  return new ApiProblem("Something went wrong in this page", -1, String(error), "Reload the page.");
}
