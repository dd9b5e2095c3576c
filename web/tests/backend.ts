// What is behind the sink? An HTTP API whose speed and moods the test decides, on loopback.

import http from "node:http";
import type { AddressInfo } from "node:net";

export interface Mood {
  /** What each request takes, in milliseconds, and what each event in it adds. */
  fixedMs: number;
  perEventMs: number;
  /** Requests with this text are refused for good. */
  poison: string;
}

export class Backend {
  readonly mood: Mood = { fixedMs: 1, perEventMs: 0.02, poison: "poison" };
  taken = 0;
  readonly #server: http.Server;

  private constructor() {
    this.#server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => this.#answer(body, response));
    });
  }

  static async start(port = 0): Promise<Backend> {
    const backend = new Backend();
    await new Promise<void>((resolve) => backend.#server.listen(port, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events`;
  }

  #answer(body: string, response: http.ServerResponse): void {
    const { fixedMs, perEventMs, poison } = this.mood;
    if (poison !== "" && body.includes(poison)) {
      response.writeHead(422, { "content-type": "text/plain" });
      response.end('field "amount" is not a number: "12x4"');
      return;
    }
    const events = body.split("\n").filter(Boolean).length;
    this.taken += events;
    setTimeout(
      () => {
        response.writeHead(200);
        response.end("{}");
      },
      fixedMs + events * perEventMs,
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
