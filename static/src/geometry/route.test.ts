import { describe, expect, it } from "vitest";
import { route } from "./route";

const card = (x: number, y: number, height = 200) => ({ id: `${x},${y}`, x, y, width: 300, height });
const from = { x: 300, y: 100 };
const to = { x: 1000, y: 120 };

describe("route", () => {
  it("is one curve when nothing is in between", () => {
    expect(route(from, to, [card(0, 0), card(1000, 0), card(500, 400)])).toBe("M300,100C650,100 650,120 1000,120");
  });

  it("passes a card on its nearer side", () => {
    expect(route(from, to, [card(0, 0), card(500, 50), card(1000, 0)])).toContain("490,38L810,38");
  });

  it("passes between two cards, or around all of them", () => {
    expect(route(from, to, [card(500, -130, 200), card(500, 94, 300)])).toContain(",82L");
    expect(route(from, to, [card(500, -130, 200), card(500, 80, 300)])).toContain(",-142L");
  });

  it("turns back between the cards when the target is on the left", () => {
    const [upper, lower] = [card(0, 0), card(40, 224)];
    expect(route({ x: 300, y: 100 }, { x: 40, y: 260 }, [upper, lower])).toBe(
      "M300,100C348,100 348,212 300,212L40,212C-8,212 -8,260 40,260",
    );
  });
});
