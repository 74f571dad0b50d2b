/** Pictures make cards grow when they arrive; a first layout waits for them, but not for slow ones. */

/** Resolves when every picture below an element has arrived or failed, or after `most` milliseconds. */
export async function pictures(below: HTMLElement, most: number): Promise<void> {
  const waiting = [...below.querySelectorAll("img")].filter((image) => !image.complete);
  if (waiting.length === 0) return;
  const arrivals = waiting.map(
    (image) =>
      new Promise<void>((resolve) => {
        image.addEventListener("load", () => resolve(), { once: true });
        image.addEventListener("error", () => resolve(), { once: true });
      }),
  );
  await Promise.race([Promise.all(arrivals), new Promise((resolve) => setTimeout(resolve, most))]);
  // two frames: one in which the card grows, one in which that is noticed
  for (let frame = 0; frame < 2; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
}
