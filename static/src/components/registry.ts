/** Which widget shows which Gradio block, and which values it can show; what it cannot, the JSON tree does. */

import type { Component } from "svelte";
import type { Value } from "../wire/messages";
import { isEmpty, isTable, plain, shownFile, shownFiles } from "../wire/values";
import AudioView from "./AudioView.svelte";
import Checkbox from "./Checkbox.svelte";
import CheckboxGroup from "./CheckboxGroup.svelte";
import Code from "./Code.svelte";
import ColorPicker from "./ColorPicker.svelte";
import Dropdown from "./Dropdown.svelte";
import FileList from "./FileList.svelte";
import Gallery from "./Gallery.svelte";
import ImageView from "./ImageView.svelte";
import ItemList from "./ItemList.svelte";
import JsonView from "./JsonView.svelte";
import { answerOf } from "./label";
import LabelView from "./LabelView.svelte";
import NumberField from "./NumberField.svelte";
import Radio from "./Radio.svelte";
import Slider from "./Slider.svelte";
import SourceText from "./SourceText.svelte";
import Textbox from "./Textbox.svelte";
import VideoView from "./VideoView.svelte";
import type { WidgetProps } from "./widget";

export interface Entry {
  view: Component<WidgetProps>;
  /** Whether it can show a value that is not empty. */
  shows: (value: Value) => boolean;
  /** It carries its label itself. */
  labelled?: true;
}

const scalar = (value: Value): boolean => value.kind === "json" && typeof value.value !== "object";
const list = (value: Value): boolean => Array.isArray(plain(value));
const either = (value: Value): boolean => scalar(value) || list(value);
const file = (value: Value): boolean => shownFile(value) !== null;
const files = (value: Value): boolean => {
  const items = plain(value);
  return shownFiles(value).length === (Array.isArray(items) ? items.length : 1);
};
const any = (value: Value): boolean => value.kind === "json";

const entries: Record<string, Entry> = {
  textbox: { view: Textbox, shows: scalar },
  number: { view: NumberField, shows: scalar },
  slider: { view: Slider, shows: scalar },
  checkbox: { view: Checkbox, shows: scalar, labelled: true },
  checkboxgroup: { view: CheckboxGroup, shows: list },
  radio: { view: Radio, shows: scalar },
  dropdown: { view: Dropdown, shows: either },
  colorpicker: { view: ColorPicker, shows: scalar },
  image: { view: ImageView, shows: file },
  audio: { view: AudioView, shows: file },
  video: { view: VideoView, shows: file },
  file: { view: FileList, shows: files },
  gallery: { view: Gallery, shows: files },
  json: { view: JsonView, shows: any },
  itemlist: { view: ItemList, shows: isTable },
  label: { view: LabelView, shows: (value) => answerOf(value) !== null },
  code: { view: Code, shows: scalar },
  markdown: { view: SourceText, shows: scalar },
  html: { view: SourceText, shows: scalar },
};

const tree: Entry = { view: JsonView, shows: any };
const download: Entry = { view: FileList, shows: file };

/** The widget for a block and a value; for editing, the block's own whatever the value. */
export function widgetFor(type: string, value: Value | undefined, editable = false): Entry {
  const own = Object.hasOwn(entries, type) ? entries[type] : undefined;
  if (own !== undefined && (editable || value === undefined || isEmpty(value) || own.shows(value))) return own;
  return value?.kind === "file" ? download : tree;
}

/** Whether an input of this block can be edited here. */
const editable = new Set([
  "textbox", "number", "slider", "checkbox", "checkboxgroup", "radio", "dropdown", "colorpicker",
  "image", "audio", "video", "file", "code", "markdown", "html", "json",
  "itemlist",
]);

export const canEdit = (type: string): boolean => editable.has(type);
