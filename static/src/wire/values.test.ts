import { describe, expect, it } from "vitest";
import { picture } from "../testing/wire";
import { json, outgoing, shownFile, shownFiles } from "./values";

describe("values", () => {
  it("are sent as plain JSON, files by their artifact", () => {
    expect(outgoing(json([1, "two"]))).toEqual([1, "two"]);
    expect(outgoing(picture)).toEqual({ artifact: "a1" });
  });

  it("show files wherever they are in a value", () => {
    expect(shownFile(picture)?.name).toBe("cat.png");
    expect(shownFiles(json([{ image: picture, caption: "a" }, "/file/b/dog.png", ["/file/c/x.png", "caption"]]))).toHaveLength(3);
  });

  it("never lead to another host or into a script", () => {
    for (const url of ["https://example.com/a.png", "//example.com/a.png", "javascript:alert(1)", "data:text/html,x"]) {
      expect(shownFile(url), url).toBeNull();
      expect(shownFile({ url }), url).toBeNull();
    }
  });
});
