/** Whether events arrive, and if the page could not be loaded, why. */

import type { ApiProblem } from "../wire/problem";
import type { SocketStatus } from "../wire/socket";

export class Connection {
  status = $state<SocketStatus>("connecting");
  /** Why there is nothing to show; null while all is well. */
  problem = $state.raw<ApiProblem | null>(null);
  /** Whether we try again by ourselves after `problem`. */
  retrying = $state(false);

  readonly open: boolean = $derived(this.status === "open");
}
