import { expect, it } from "vitest";
import { lanePath, parsePath } from "./router";

it("reads the path of every view", () => {
  expect(parsePath("/")).toEqual({ view: "overview" });
  for (const view of ["dead-letters", "resources", "settings", "simulator"]) {
    expect(parsePath(`/${view}`)).toEqual({ view });
  }
});

it("brings any name of a sink and a lane through the path and back", () => {
  for (const name of ["main", "a b", "a/b", "ü?#&", "100%"]) {
    expect(parsePath(lanePath(name, name))).toEqual({ view: "lane", sink: name, lane: name });
  }
});

it("calls everything else unknown, also an escape that means nothing", () => {
  for (const path of ["/nope", "/lanes/a", "/lanes/a/b/c", "/resources/x", "/lanes/%E0%A4%A/b"]) {
    expect(parsePath(path)).toEqual({ view: "unknown", path });
  }
});
