/** Reading and making values of the wire. */

import type { FileValue, JsonValue, Value } from "./messages";

/** A file that can be shown: of the store, or a URL of this server inside a JSON value. */
export interface Shown {
  url: string;
  name: string;
  mime: string;
  size: number | null;
}

export const json = (value: unknown): JsonValue => ({ kind: "json", value });

/** The JSON of a value, `undefined` when it has none. */
export const plain = (value: Value | undefined): unknown => (value?.kind === "json" ? value.value : undefined);

/** How a value is sent in a request: JSON as it is, a file by its artifact. */
export function outgoing(value: Value): unknown {
  if (value.kind === "json") return value.value;
  return value.kind === "file" ? { artifact: value.artifact } : null;
}

/** Whether there is nothing to show. */
export function isEmpty(value: Value | undefined): boolean {
  return value === undefined || (value.kind === "json" && (value.value === null || value.value === undefined));
}

/** Whether a value is a list of records. */
export function isTable(value: Value | undefined): boolean {
  const rows = plain(value);
  return Array.isArray(rows) && rows.every((row) => row !== null && typeof row === "object" && !Array.isArray(row));
}

/** The file in a value, or in a piece of JSON such as a gallery's item; null when there is none that may be shown. */
export function shownFile(value: unknown): Shown | null {
  if (typeof value === "string") return ownUrl(value) ? { url: value, name: nameOf(value), mime: "", size: null } : null;
  if (value === null || typeof value !== "object") return null;
  if (Array.isArray(value)) return shownFile(value[0]);
  const it = value as Record<string, unknown>;
  if (it["kind"] === "json") return shownFile(it["value"]);
  if (typeof it["url"] === "string" && ownUrl(it["url"])) {
    const file = it as Partial<FileValue> & { url: string; orig_name?: unknown; mime_type?: unknown };
    return {
      url: file.url,
      name: String(file.name ?? file.orig_name ?? nameOf(file.url)),
      mime: String(file.mime ?? file.mime_type ?? ""),
      size: typeof file.size === "number" ? file.size : null,
    };
  }
  return shownFile(it["image"] ?? it["video"] ?? null);
}

/** The files of a list value, or of a single file. */
export function shownFiles(value: Value | undefined): Shown[] {
  const list = plain(value);
  const items: unknown[] = Array.isArray(list) ? list : [value];
  return items.map(shownFile).filter((file) => file !== null);
}

/** Only what this server serves or the page made: a value must not make the page call other hosts or run scripts. */
function ownUrl(url: string): boolean {
  return /^\/(?!\/)/.test(url) || url.startsWith("blob:") || /^data:(image|audio|video)\//.test(url);
}

function nameOf(url: string): string {
  return url.startsWith("/") ? decodeURIComponent(url.split(/[?#]/)[0]?.split("/").pop() ?? "file") : "file";
}
