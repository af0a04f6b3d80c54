// The servers of a measured database: one Postgres, or the coordinator of a Citus cluster and its workers, which must be on this machine.

import { execFileSync } from "node:child_process";

import { parentOf, timeOfFamily } from "./processes.mjs";

const WORKERS = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid";

/** Returns the URL of another database on the same server. */
const at = (server, database) => Object.assign(new URL(server), { pathname: `/${database}` }).href;

/** Runs statements, and returns what they print. */
function sql(url, text) {
  const env = { ...process.env, PGOPTIONS: "-c client_min_messages=warning" };
  const options = { input: text, encoding: "utf8", maxBuffer: 1 << 30, env };
  return execFileSync("psql", [url, "-qAtX", "-v", "ON_ERROR_STOP=1"], options).trim();
}

export class Cluster {
  #isCitus;
  #workers = [];
  #servers;
  #postmasters;

  /** `postgres` is the URL of the server; of a cluster, that of a database of its coordinator which has its workers. */
  constructor(postgres, isCitus) {
    this.#isCitus = isCitus;
    if (isCitus) {
      this.#workers = sql(postgres, WORKERS)
        .split("\n")
        .filter(Boolean)
        .map((worker) => worker.split("|"));
    }
    const ofWorkers = this.#workers.map(([hostname, port]) => Object.assign(new URL(postgres), { hostname, port }).href);
    this.#servers = [postgres, ...ofWorkers];
  }

  url(database) {
    return at(this.#servers[0], database);
  }

  /** Runs statements on the server that clients use, and returns what they print. */
  sql(text, database) {
    return sql(this.url(database), text);
  }

  /** Creates an empty database on each server. */
  create(database) {
    for (const server of this.#servers) {
      sql(at(server, "postgres"), `CREATE DATABASE ${database}`);
      if (this.#isCitus) sql(at(server, database), "CREATE EXTENSION citus");
    }
    for (const [host, port] of this.#workers) this.sql(`SELECT citus_add_node('${host}', ${port})`, database);
  }

  drop(database) {
    for (const server of this.#servers) sql(at(server, "postgres"), `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  }

  /** Returns the processor time that all processes of the servers have used, also those that have ended, in milliseconds. */
  processorTime() {
    this.#postmasters ??= this.#servers.map((server) => this.#postmasterOf(server));
    return this.#postmasters.reduce((sum, postmaster) => sum + timeOfFamily(postmaster), 0);
  }

  #postmasterOf(server) {
    const child = sql(at(server, "postgres"), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    try {
      return parentOf(child);
    } catch (error) {
      throw new Error(`Postgres must run on this machine, where its processes can be measured: ${error.message}`);
    }
  }
}
