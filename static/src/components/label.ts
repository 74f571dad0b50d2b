/** What a label says: the class, and how sure that is of each. */
import type { Value } from "../wire/messages";
import { plain } from "../wire/values";

export interface Confidence {
  label: string;
  confidence: number;
}

export interface Answer {
  label: string;
  confidences: Confidence[];
}

/** Of a class alone, of Gradio's own form, and of scores by class, which functions give; null of anything else. */
export function answerOf(value: Value): Answer | null {
  if (value.kind !== "json") return null;
  const it = plain(value);
  if (typeof it !== "object" || it === null) return { label: String(it), confidences: [] };
  const { label, confidences } = it as { label?: unknown; confidences?: unknown };
  if (Array.isArray(confidences)) return { label: String(label), confidences: confidences as Confidence[] };
  if (Array.isArray(it)) return null;
  const scores = Object.entries(it);
  if (scores.length > 0 && scores.every(([, score]) => typeof score === "number")) {
    const sorted = scores.map(([label, confidence]) => ({ label, confidence: confidence as number }));
    sorted.sort((one, other) => other.confidence - one.confidence);
    return { label: sorted[0]!.label, confidences: sorted };
  }
  return label === undefined || label === null ? null : { label: String(label), confidences: [] };
}
