import { describe, expect, it } from "vitest";
import { numbers } from "../testing/random";
import { near, type Box } from "./box";
import { GAP, makeRoom } from "./room";

const box = (id: string, x: number, y: number, height = 100): Box => ({ id, x, y, width: 200, height });

describe("makeRoom", () => {
  it("leaves cards alone that are clear of each other", () => {
    const homes = [box("a", 0, 0), box("b", 0, 200), box("c", 300, 0)];
    expect(makeRoom(homes).get("b")).toEqual({ x: 0, y: 200 });
  });

  it("moves what a grown card would cover, and back when it shrinks", () => {
    expect(makeRoom([box("a", 0, 0, 400), box("b", 0, 200)]).get("b")).toEqual({ x: 0, y: 400 + GAP });
    expect(makeRoom([box("a", 0, 0, 100), box("b", 0, 200)]).get("b")).toEqual({ x: 0, y: 200 });
  });

  it("keeps a card where a person put it, and moves the others", () => {
    const places = makeRoom([box("a", 0, 0), box("b", 20, 50)], ["b"]);
    expect(places.get("b")).toEqual({ x: 20, y: 50 });
    expect(places.get("a")).toEqual({ x: 0, y: 150 + GAP });
  });

  it("never leaves an overlap", () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = numbers(seed);
      const homes = Array.from({ length: 25 }, (_, index) =>
        box(String(index), Math.floor(random() * 900), Math.floor(random() * 900), 50 + Math.floor(random() * 400)),
      );
      const places = makeRoom(homes, random() < 0.5 ? [] : ["3", "7", "11"]);
      const placed = homes.map((home) => ({ ...home, ...places.get(home.id)! }));
      for (const [index, one] of placed.entries()) {
        for (const other of placed.slice(index + 1)) expect(near(one, other, GAP), `seed ${seed}`).toBe(false);
      }
    }
  });
});
