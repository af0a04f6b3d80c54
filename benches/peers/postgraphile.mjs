// PostGraphile on the same tables: scalar fields of the entries only, since the tables have no foreign keys that it could follow.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

// PostGraphile uses it, and Node 20 does not have it.
Promise.withResolvers ??= function () {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const query = `query Page($account: BigInt!, $after: Cursor) {
  allCreditEntries(condition: { accountId: $account }, orderBy: SEQUENCE_DESC, first: 50, after: $after) {
    pageInfo { endCursor } nodes { id sequence occurredAt kind amount balanceAfter description } } }`;

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["public"], poolConfig: { max: 5 } })],
  grafserv: { watch: false, graphiql: false },
  grafast: { explain: false },
};
const serv = postgraphile(preset).createServ(grafserv);
const server = createServer();
server.on("error", (error) => console.error(error));
await serv.addTo(server);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, query })));
