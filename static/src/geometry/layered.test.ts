import { describe, expect, it } from "vitest";
import { numbers } from "../testing/random";
import { near, type Box } from "./box";
import { layered, type LayoutRequest } from "./layered";
import { GAP } from "./room";

function randomGraph(seed: number): LayoutRequest {
  const random = numbers(seed);
  const count = 1 + Math.floor(random() * 40);
  const cards = Array.from({ length: count }, (_, index) => ({
    id: `card ${index}`,
    width: 200 + Math.floor(random() * 200),
    height: 60 + Math.floor(random() * 900),
  }));
  const wires = [];
  for (let target = 1; target < count; target += 1) {
    for (let wire = Math.floor(random() * 4); wire > 0; wire -= 1) {
      wires.push({ source: `card ${Math.floor(random() * target)}`, target: `card ${target}` });
    }
  }
  return { cards, wires };
}

function boxes(request: LayoutRequest): Box[] {
  const places = new Map(layered(request));
  return request.cards.map((card) => ({ ...card, ...places.get(card.id)! }));
}

describe("layered", () => {
  it("never lets two cards overlap, whatever the graph and the sizes", () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const placed = boxes(randomGraph(seed));
      for (const [index, one] of placed.entries()) {
        for (const other of placed.slice(index + 1)) {
          expect(near(one, other, GAP), `seed ${seed}: ${one.id} and ${other.id}`).toBe(false);
        }
      }
    }
  });

  it("puts every card to the right of what feeds it", () => {
    for (let seed = 100; seed < 120; seed += 1) {
      const request = randomGraph(seed);
      const placed = new Map(boxes(request).map((box) => [box.id, box]));
      for (const { source, target } of request.wires) {
        const [from, to] = [placed.get(source)!, placed.get(target)!];
        expect(from.x + from.width).toBeLessThan(to.x);
      }
    }
  });
});
