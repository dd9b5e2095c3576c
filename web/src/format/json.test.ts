import { expect, it } from "vitest";
import { laidOut, member } from "./json";

const TEXT =
  '{"id":7,"reason":"a \\"quoted\\", {odd} [text]: x","event":{"big":12345678901234567890123,"e":1.50e3,"same":1,"same":2,"list":[1,{"a":null}],"none":{},"empty":[]}}';

it("changes nothing but the space between", () => {
  for (const text of [
    TEXT,
    "[]",
    "{}",
    '"a b"',
    "12345678901234567890.10",
    '{"a":"\\\\"}',
    '["\\u0000<b>&"]',
  ]) {
    const squeezed = laidOut(text).replace(/\n\s*/g, "").replace(/": /g, '":');
    expect(squeezed).toBe(text);
    expect(JSON.parse(laidOut(text))).toEqual(JSON.parse(text));
  }
});

it("sets a member a line", () => {
  expect(laidOut('{"a":1,"b":[2,3],"c":{}}')).toBe(
    '{\n  "a": 1,\n  "b": [\n    2,\n    3\n  ],\n  "c": {}\n}',
  );
});

it("cuts a member out of the outermost object, to the letter", () => {
  expect(member(TEXT, "event")).toBe(TEXT.slice(TEXT.indexOf('{"big"'), -1));
  expect(member(TEXT, "id")).toBe("7");
  expect(member(TEXT, "big")).toBeNull();
  expect(member('{"a":{"event":1},"event":2}', "event")).toBe("2");
  expect(member('{"x":"event","event":"event"}', "event")).toBe('"event"');
});
