/** The picture shown in full size, if any. */

import type { Shown } from "../wire/values";

export class Lightbox {
  picture = $state.raw<(Shown & { alt: string }) | null>(null);
}
