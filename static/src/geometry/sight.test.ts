import { expect, test } from "vitest";
import { outOfSight } from "./sight";

const box = { id: "a", x: 100, y: 100, width: 200, height: 100 };

test.each([
  [{ x: 0, y: 0, zoom: 1 }, 300, 200, false],
  [{ x: 0, y: 0, zoom: 1 }, 299, 200, true],
  [{ x: 0, y: 0, zoom: 1 }, 300, 199, true],
  [{ x: -101, y: 0, zoom: 1 }, 900, 900, true],
  [{ x: 0, y: -101, zoom: 1 }, 900, 900, true],
  [{ x: -50, y: -50, zoom: 0.5 }, 100, 50, false],
])("a box is seen whole or not: %o in %d × %d", (view, width, height, out) => {
  expect(outOfSight([box], view, width, height)).toBe(out);
});

test("an empty plane is seen whole", () => {
  expect(outOfSight([], { x: 0, y: 0, zoom: 1 }, 0, 0)).toBe(false);
});
