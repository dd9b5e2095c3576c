import { expect, it } from "vitest";
import { EventParser, type ServerEvent } from "./sse";

const STREAM =
  ': hello\n\nid: a-1\nevent: frame\ndata: {"a":1}\n\ndata: two\r\ndata:  lines\r\n\r\nid: a-2\rdata\r\revent: none\n\n';
const EVENTS: ServerEvent[] = [
  { type: "frame", data: '{"a":1}', id: "a-1" },
  { type: "message", data: "two\n lines", id: "a-1" },
  { type: "message", data: "", id: "a-2" },
];

it("gives the same events however the text is cut", () => {
  expect(new EventParser().push(STREAM)).toEqual(EVENTS);
  for (let size = 1; size < 20; size += 1) {
    const parser = new EventParser();
    const events: ServerEvent[] = [];
    for (let at = 0; at < STREAM.length; at += size)
      events.push(...parser.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
  }
});

it("keeps what is not complete to itself", () => {
  const parser = new EventParser();
  expect(parser.push("data: half")).toEqual([]);
  expect(parser.push("\n")).toEqual([]);
  expect(parser.push("\n")).toEqual([{ type: "message", data: "half", id: "" }]);
});
