/**
 * An attachment for elements that scroll: the wheel scrolls them while there is something to scroll, and the canvas
 * otherwise. `nowheel` is the canvas's mark for the former.
 */

export function scrollable(element: HTMLElement): () => void {
  const mark = (): void => {
    element.classList.toggle("nowheel", element.scrollHeight > element.clientHeight + 1);
  };
  element.addEventListener("pointerenter", mark);
  return () => element.removeEventListener("pointerenter", mark);
}
