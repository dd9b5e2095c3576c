// How is a stream of server-sent events read from `fetch`? EventSource cannot send a token in a header,
// and a token must not stand in an address; so the text is parsed here, as the standard has it
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).

/** One event. */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
  /** The id in force, for `Last-Event-ID`. */
  readonly id: string;
}

/** Takes text in any pieces and gives events. Pure: it keeps only what is not yet complete. */
export class EventParser {
  #rest = "";
  #data: string[] = [];
  #type = "";
  #id = "";
  #lastWasReturn = false;

  /** Events that are complete with this piece. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let text = piece;
    // A line may end with CR LF whose halves come in two pieces.
    if (this.#lastWasReturn && text.startsWith("\n")) text = text.slice(1);
    if (piece !== "") this.#lastWasReturn = piece.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const [data, type] = [this.#data, this.#type || "message"];
    this.#data = [];
    this.#type = "";
    return data.length > 0 ? { type, data: data.join("\n"), id: this.#id } : null;
  }
}
