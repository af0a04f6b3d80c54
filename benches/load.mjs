// The clients of `benches/load`, which make load for a server.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { spawn } from "./processes.mjs";

/** Files that a process has open besides its sockets. */
const OTHER_FILES = 300;

export class Load {
  #child;
  #lines;

  /** `server` has a `url`, and an `apiKey` if it checks it. `subjects` have the fields that bodies name. */
  constructor(binary, server, subjects) {
    this.#child = spawn(binary, [], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stdin.on("error", () => {});
    this.pid = this.#child.pid;
    const address = new URL(server.url).host;
    this.#write({ address, authorization: `Bearer ${server.apiKey ?? "anybody"}`, accepted: '"userErrors":[]', subjects });
  }

  /** Runs a command, and returns what it measured. */
  async run(command) {
    this.#write(command);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the clients have ended; the reason is above");
    return JSON.parse(value);
  }

  #write(value) {
    this.#child.stdin.write(`${JSON.stringify(value)}\n`);
  }

  stop() {
    return new Promise((resolve) => {
      this.#child.once("exit", resolve);
      this.#child.stdin.end();
      this.#child.kill();
    });
  }
}

/** Keys of several clients differ by it. */
const RUN = Date.now().toString(36);

/** Returns the text of a request, in which the clients replace what stands in double braces; `{{key}}` is another each time. */
export const body = (query, variables) => JSON.stringify({ query, variables }).replaceAll("{{key}}", `${RUN}-{{key}}`);

/** Throws if processes that this one starts may not open as many sockets. */
export function requireSockets(sockets) {
  // Node raises its own limit to the hard one, and its children inherit it.
  const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Infinity);
  const needed = sockets + OTHER_FILES;
  console.log(`${sockets.toLocaleString("en")} sockets need ${needed.toLocaleString("en")} open files in each process; ${limit.toLocaleString("en")} are allowed`);
  if (limit < needed) {
    throw new Error(`Too few open files are allowed. Allow more (ulimit -n ${needed}, as root: ulimit -Hn ${needed} first), or measure --sockets ${Math.max(0, limit - OTHER_FILES)}`);
  }
}
