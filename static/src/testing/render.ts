import { render, type RenderResult } from "@testing-library/svelte";
import type { Component } from "svelte";
import type { Session } from "../state/session.svelte";
import InSession from "./InSession.svelte";

/** Render a component with a session around it. */
export function renderIn<Props extends object>(
  session: Session, view: Component<Props>, given: Props,
): RenderResult<typeof InSession> {
  const untyped = view as unknown as Component<Record<string, unknown>>;
  return render(InSession, { props: { session, view: untyped, given: { ...given } as Record<string, unknown> } });
}
