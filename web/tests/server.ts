// The real binary, started and stopped by tests, with everything it writes in a directory of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const TARGET = process.env.CARGO_TARGET_DIR ?? "../target";
const BINARY = resolve(process.env.TIDEGATE_BIN ?? join(TARGET, "debug/tidegate"));
/** How long a start or a stop may take before the test fails rather than hangs. */
const PATIENCE_MS = 30_000;

export class Server {
  readonly #dir = mkdtempSync(join(tmpdir(), "tidegate-web-"));
  readonly #config: string;
  #child: ChildProcess | null = null;
  #address = "127.0.0.1:0";

  /** `sinks` and what else the configuration has, as YAML. */
  constructor(config: string) {
    this.#config = join(this.#dir, "tidegate.yaml");
    writeFileSync(this.#config, config);
  }

  get url(): string {
    return `http://${this.#address}`;
  }

  /** Starts it; the second time at the same address with the same data. */
  async start(): Promise<void> {
    const args = ["serve", "--config", this.#config, "--data-dir", join(this.#dir, "data")];
    const child = spawn(BINARY, [...args, "--listen", this.#address, "--log-format", "json"], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, TIDEGATE_CONFIG: undefined, TIDEGATE_TOKEN: undefined },
    });
    this.#child = child;
    const lines: string[] = [];
    const listening = new Promise<string>((found, failed) => {
      if (!child.stderr) return;
      createInterface({ input: child.stderr }).on("line", (line) => {
        lines.push(line);
        const address = /"address":"([^"]+)"/.exec(line)?.[1];
        if (address && line.includes("taking events")) found(address);
      });
      child.once("exit", () =>
        failed(new Error(`the server ended:\n${lines.slice(-20).join("\n")}`)),
      );
      child.once("error", failed);
    });
    this.#address = await within(listening, `no address within ${PATIENCE_MS} ms`);
  }

  /** Ends it as an operator would, or at once. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await within(ended, "the server does not end");
  }

  async dispose(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Posts events as NDJSON; `true` if they were taken. */
  async post(lines: readonly string[], headers: Record<string, string> = {}): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/v1/events`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson", ...headers },
        body: `${lines.join("\n")}\n`,
      });
      await response.text();
      return response.ok;
    } catch {
      // Not there, or away: whoever needs to know looks at the answer.
      return false;
    }
  }

  async get<T>(path: string): Promise<T> {
    return (await (await fetch(this.url + path)).json()) as T;
  }
}

function within<T>(promise: Promise<T>, complaint: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(new Error(complaint)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Sends events until it is stopped: `batch` of them, then a pause. */
export class Load {
  #running = true;
  #done: Promise<void>;
  sent = 0;
  /** Events a second that are aimed at. */
  rate: number;

  constructor(
    server: Server,
    rate: number,
    batch = 50,
    fields: () => Record<string, unknown> = () => ({}),
  ) {
    this.rate = rate;
    this.#done = this.#run(server, batch, fields);
  }

  async #run(server: Server, batch: number, fields: () => Record<string, unknown>): Promise<void> {
    while (this.#running) {
      const began = performance.now();
      const lines = Array.from({ length: batch }, () =>
        JSON.stringify({
          level: "info",
          service: "shop",
          msg: `order ${this.sent++} paid`,
          ...fields(),
        }),
      );
      await server.post(lines);
      const pause = (batch / this.rate) * 1000 - (performance.now() - began);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }
}
