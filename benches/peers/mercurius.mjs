import Fastify from "fastify";
import mercurius from "mercurius";

import { query, resolvers, typeDefs } from "./log.mjs";

const app = Fastify();
// jit: 1 compiles a query the first time that it is executed.
app.register(mercurius, { schema: typeDefs, resolvers, jit: 1 });
const url = await app.listen({ port: 0, host: "127.0.0.1" });
console.log(JSON.stringify({ url, query }));
