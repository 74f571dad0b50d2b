import { expect, it } from "vitest";
import { topological } from "./order";

it("puts each card after what it needs, and lone inputs next to the card they feed", () => {
  const wires = [
    { source: "words", target: "write" },
    { source: "radius", target: "blur" },
    { source: "write", target: "draw" },
    { source: "draw", target: "blur" },
  ];
  expect(topological(["radius", "words", "blur", "draw", "write"], wires)).toEqual(["words", "write", "draw", "radius", "blur"]);
});

it("names every card once, with or without wires", () => {
  expect(topological(["a", "b"], [{ source: "a", target: "elsewhere" }]).sort()).toEqual(["a", "b"]);
});
