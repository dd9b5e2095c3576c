// How does the page stay with the server? One request whose answer never ends; after a break it asks
// again from the last event it saw, sooner at first and more calmly later. How old the last event is,
// and not whether a socket is open, says whether what is shown is true.

import { ApiError, request } from "./client";
import { EventParser, type ServerEvent } from "./sse";

/** What is known of the connection. */
export type Connection =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** The connection is there, but nothing comes. */
  | { readonly state: "stale"; readonly sinceMs: number }
  | {
      readonly state: "disconnected";
      readonly sinceMs: number;
      readonly retryAtMs: number;
      readonly why: string;
    }
  | { readonly state: "unauthorized" };

const STALE_MS = 2_000;
/** With nothing for so long the connection counts as dead: a sleeping laptop's socket never says so. */
const DEAD_MS = 10_000;
const WAIT_FIRST_MS = 300;
const WAIT_MAX_MS = 5_000;

/** How long to wait before the next attempt: doubling, with a random part so that tabs do not come at once. */
export function wait(attempt: number, random: number): number {
  const bound = Math.min(WAIT_FIRST_MS * 2 ** attempt, WAIT_MAX_MS);
  return bound * (0.5 + random * 0.5);
}

/** Reads a stream until it is told to stop. */
export class LiveStream {
  #abort = new AbortController();
  #stopped = false;
  #lastId = "";
  #lastAt = 0;
  #attempt = 0;
  #wake: (() => void) | null = null;
  /** Somebody asked to try at once, perhaps before there was anything to wake. */
  #hurry = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #connection: Connection = { state: "connecting" };

  constructor(
    readonly path: string,
    readonly onEvent: (event: ServerEvent) => void,
    readonly onConnection: (connection: Connection) => void,
  ) {}

  start(): void {
    this.#watch = setInterval(() => this.#checkAge(), 500);
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#watch);
    this.#abort.abort();
    this.#wake?.();
  }

  /** Asks again now: somebody gave a token, or wants it now. */
  retry(): void {
    this.#attempt = 0;
    this.#hurry = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let downSince = 0;
    while (!this.#stopped) {
      const why = await this.#readOnce();
      if (this.#stopped) return;
      if (why instanceof ApiError && why.needsToken) {
        this.#tell({ state: "unauthorized" });
        await this.#sleep(null);
        continue;
      }
      if (this.#connection.state !== "disconnected") downSince = Date.now();
      const pause = wait(this.#attempt, Math.random());
      this.#attempt += 1;
      const reason = why instanceof Error ? why.message : "The server ended the connection.";
      this.#tell({
        state: "disconnected",
        sinceMs: downSince,
        retryAtMs: Date.now() + pause,
        why: reason,
      });
      await this.#sleep(pause);
    }
  }

  /** Why it ended, if by an error. */
  async #readOnce(): Promise<unknown> {
    this.#abort = new AbortController();
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (this.#lastId) headers["last-event-id"] = this.#lastId;
      this.#hurry = false;
      const response = await request(this.path, { headers, signal: this.#abort.signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (!reader) return null;
      this.#lastAt = Date.now();
      const parser = new EventParser();
      while (true) {
        const { done, value } = await reader.read();
        if (done) return null;
        for (const event of parser.push(value)) this.#take(event);
      }
    } catch (error) {
      return error;
    }
  }

  #take(event: ServerEvent): void {
    if (event.id) this.#lastId = event.id;
    this.#lastAt = Date.now();
    this.#attempt = 0;
    this.#tell({ state: "live" });
    this.onEvent(event);
  }

  #checkAge(): void {
    const { state } = this.#connection;
    const age = Date.now() - this.#lastAt;
    if (state === "live" && age > STALE_MS) this.#tell({ state: "stale", sinceMs: this.#lastAt });
    if (state === "stale" && age > DEAD_MS) this.#abort.abort();
  }

  #tell(connection: Connection): void {
    if (connection.state === "live" && this.#connection.state === "live") return;
    this.#connection = connection;
    this.onConnection(connection);
  }

  #sleep(wanted: number | null): Promise<void> {
    const ms = this.#hurry ? 0 : wanted;
    this.#hurry = false;
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#hurry = false;
        resolve();
      };
    });
  }
}
