/** Reading a component's config: it is whatever Gradio sends, so nothing in it is taken for granted. */

export type Config = Record<string, unknown>;

export const text = (config: Config, key: string): string => (typeof config[key] === "string" ? config[key] : "");

export const number = (config: Config, key: string): number | null =>
  typeof config[key] === "number" && Number.isFinite(config[key]) ? config[key] : null;

export const flag = (config: Config, key: string): boolean => config[key] === true;

export const has = (config: Config, key: string, member: string): boolean =>
  Array.isArray(config[key]) && config[key].includes(member);

export interface Choice {
  label: string;
  value: unknown;
}

/** Choices as Gradio sends them: pairs of a label and a value. */
export function choices(config: Config): Choice[] {
  const list = Array.isArray(config["choices"]) ? config["choices"] : [];
  return list.map((item: unknown) =>
    Array.isArray(item) ? { label: String(item[0]), value: item.length > 1 ? item[1] : item[0] } : { label: String(item), value: item },
  );
}

/** What a file dialog may offer, from `file_types`: extensions, or kinds such as "image". */
export function accept(config: Config, fallback = ""): string {
  const types = config["file_types"];
  if (!Array.isArray(types)) return fallback;
  return types.map((type: unknown) => (/^(image|audio|video|text)$/.test(String(type)) ? `${type}/*` : String(type))).join(",");
}

/** Whether a component is shown at all. */
export const visible = (config: Config): boolean => config["visible"] !== false && config["visible"] !== "hidden";
