/** What every widget is given. */

import type { Value } from "../wire/messages";
import type { Config } from "./config";

export interface WidgetProps {
  /** For the element that takes the focus, so that the label points at it. */
  id: string;
  /** The id of the label, for groups. */
  labelId: string;
  label: string;
  config: Config;
  value: Value | undefined;
  /** Without it the widget only shows. */
  edit?: ((value: Value) => void) | undefined;
}
