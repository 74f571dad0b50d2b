/** A handle on the edge of a card, where edges begin and end. Only the canvas has them, so it brings the component. */

import type { Component } from "svelte";

export interface PortProps {
  id: string;
  side: "in" | "out";
  title: string;
}

export type PortView = Component<PortProps> | undefined;
