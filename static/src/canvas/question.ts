/** What an interaction asks about, as something to show or to choose from. */

import { number } from "../components/config";
import type { ComponentView, Value } from "../wire/messages";
import { isEmpty, plain, shownFile } from "../wire/values";

export interface Option {
  index: number;
  label: string;
  /** The URL of a picture, if the option is one. */
  picture: string | null;
  /** What is sent when it is chosen. */
  answer: unknown;
}

const PICTURE = /\.(png|jpe?g|gif|webp|bmp|svg)$/i;

/**
 * The options of a list or a record (its keys); any other value is the only one. Numbers are answered by their value,
 * for a number that is no option is taken as an index; all else by its index.
 */
export function options(asks: Value): Option[] {
  return members(asks).map((member, index) => {
    const file = typeof member === "object" || typeof member === "string" ? shownFile(member) : null;
    const picture = file !== null && (file.mime.startsWith("image/") || PICTURE.test(file.name)) ? file.url : null;
    const label = picture !== null ? `picture ${index + 1}` : file !== null ? file.name : worded(member);
    return { index, label, picture, answer: typeof member === "number" ? member : index };
  });
}

function members(asks: Value): unknown[] {
  if (asks.kind === "items") return asks.shown.filter((item) => item !== null).map((item) => (item.kind === "json" ? item.value : item));
  const value = plain(asks);
  if (Array.isArray(value)) return value as unknown[];
  if (value !== null && typeof value === "object") return Object.keys(value);
  return isEmpty(asks) ? [] : [asks.kind === "json" ? value : asks];
}

function worded(member: unknown): string {
  if (typeof member === "string") return member;
  const opaque = member as Partial<Value> | null;
  return opaque?.kind === "opaque" ? (opaque as { text: string }).text : JSON.stringify(member);
}

/** What an answer is before anybody changes it: what its widget shows then. */
export function beginning({ type, config }: ComponentView): unknown {
  if (type === "slider") return number(config, "minimum") ?? 0;
  return type === "checkbox" ? false : type === "textbox" ? "" : null;
}

/** How to show a value of which no component is known; null when there is nothing to show. */
export function viewOf(value: Value): ComponentView | null {
  if (isEmpty(value)) return null;
  const file = shownFile(value.kind === "items" ? value.shown.find((item) => item !== null) : value);
  if (file !== null && !Array.isArray(plain(value))) {
    const kind = /^(image|audio|video)\//.exec(file.mime)?.[1] ?? (PICTURE.test(file.name) ? "image" : "file");
    return { type: kind, config: {} };
  }
  return { type: typeof plain(value) === "object" ? "json" : "textbox", config: {} };
}
