// The network between a client and a server, which a test makes fail in each way that networks do.
import { connect, createServer } from "node:net";

export class Network {
  /** `open`; `off`: nothing connects; `hole`: bytes vanish; `plain`: no connection becomes a socket. */
  mode = "open";
  /** Connections that became sockets, and those that are open now. */
  sockets = 0;
  open = new Set();
  #listener;
  #last;

  async to(server) {
    this.#listener = createServer((client) => {
      if (this.mode === "off") return client.destroy();
      const upstream = connect(Number(new URL(server.url).port), "127.0.0.1");
      const wire = { client, upstream, isSocket: false };
      const cut = () => {
        client.destroy();
        upstream.destroy();
        this.open.delete(wire);
      };
      wire.cut = cut;
      this.open.add(wire);
      for (const end of [client, upstream]) end.on("error", cut).on("close", cut);
      client.on("data", (bytes) => {
        if (!wire.isSocket && /upgrade: websocket/i.test(bytes.toString("latin1"))) {
          if (this.mode === "plain") return cut();
          wire.isSocket = true;
          this.sockets += 1;
        }
        if (this.#last?.test(bytes.toString("latin1"))) {
          this.mode = "off";
          this.#last = undefined;
          upstream.write(bytes, () => this.cut());
        } else if (this.mode !== "hole") upstream.write(bytes);
      });
      upstream.on("data", (bytes) => {
        if (this.mode !== "hole") client.write(bytes);
      });
    });
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    this.endpoint = `http://127.0.0.1:${this.#listener.address().port}/graphql`;
    return this;
  }

  /** Breaks every connection, or sockets alone. */
  cut(isSocket = false) {
    for (const wire of [...this.open]) if (!isSocket || wire.isSocket) wire.cut();
  }

  /**
   * The computer of the clients sleeps: the server sees closed connections, and clients never hear of it. They have to be
   * stopped meanwhile.
   */
  sleep() {
    for (const { upstream, client } of [...this.open]) {
      for (const end of [client, upstream]) end.removeAllListeners("close").removeAllListeners("data");
      client.resume();
      upstream.destroy();
    }
  }

  /** The next request like this still gets there. Its response does not, and nothing connects until `open`. */
  offAfter(request) {
    this.#last = request;
  }

  /** Nothing connects until `open`. */
  off() {
    this.mode = "off";
    this.cut();
  }

  close() {
    this.#listener.close();
    this.cut();
  }
}
