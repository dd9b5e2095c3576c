// A wire between the page and the server that the test can cut.

import net, { type AddressInfo } from "node:net";

export class Wire {
  readonly #sockets = new Set<net.Socket>();
  readonly #listener: net.Server;

  private constructor(to: URL) {
    this.#listener = net.createServer((near) => {
      const far = net.connect(Number(to.port), to.hostname);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        // A socket that was cut has nothing more to say.
        socket.on("error", () => socket.destroy());
      }
      near.pipe(far).pipe(near);
    });
  }

  static async to(url: string): Promise<Wire> {
    const wire = new Wire(new URL(url));
    await new Promise<void>((resolve) => wire.#listener.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Every connection ends at once; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing goes through any more, though every connection stays open. */
  hold(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was held goes on. */
  release(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#listener.close(resolve));
    this.cut();
    await ended;
  }
}
