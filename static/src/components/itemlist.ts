/** Rows of an ItemList, and the fields that it shows of them. */

import type { ComponentView, Value } from "../wire/messages";
import { json, outgoing, plain } from "../wire/values";
import type { Config } from "./config";

export interface Field {
  name: string;
  component: ComponentView;
}

/** A row by field; what no field shows is kept, too. */
export type Row = Record<string, Value>;

export function fieldsOf(config: Config): Field[] {
  const schema = config["schema"];
  if (schema === null || typeof schema !== "object") return [];
  return Object.entries(schema as Record<string, Partial<ComponentView> | null>).map(([name, field]) => ({
    name,
    component: { type: String(field?.type ?? "textbox"), config: field?.config ?? {} },
  }));
}

export function rowsOf(value: Value | undefined): Row[] {
  const rows = plain(value);
  if (!Array.isArray(rows)) return [];
  return rows.map((row: unknown) =>
    row !== null && typeof row === "object"
      ? Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, json(cell)]))
      : {},
  );
}

/** The rows as they are sent. */
export const recordsOf = (rows: Row[]): Record<string, unknown>[] =>
  rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, outgoing(cell)])));

const TEXTS = new Set(["textbox", "dropdown", "code", "markdown", "html"]);

/** A row in which nothing is said yet. */
export const blank = (fields: Field[]): Row =>
  Object.fromEntries(
    fields.map(({ name, component: { type } }) => [name, json(TEXTS.has(type) ? "" : type === "checkbox" ? false : null)]),
  );
