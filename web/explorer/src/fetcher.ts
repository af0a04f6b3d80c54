import type { Fetcher } from "@graphiql/toolkit";
import { Kind, OperationTypeNode, parse, type OperationDefinitionNode } from "graphql";
import { createClient, type Client } from "graphql-ws";

import { header } from "./signIns.js";

/** Sockets by the credential that opened them. */
const sockets = new Map<string, Client>();

function socket(authorization: string): Client {
  const open = sockets.get(authorization);
  if (open) return open;
  const url = new URL("/graphql", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const client = createClient({ url: url.href, connectionParams: { authorization }, lazy: true, retryAttempts: 0 });
  sockets.set(authorization, client);
  return client;
}

/**
 * Sends queries and mutations by POST, and follows subscriptions over a socket. Headers from the headers editor are
 * sent unchanged. If it contains no `authorization`, the page's signed-in user is used.
 */
export const fetcher: Fetcher = async (operation, options) => {
  const headers = new Headers(options?.headers);
  const authorization = headers.get("authorization") ?? (await header());
  if (authorization) headers.set("authorization", authorization);
  const chosen = choose(operation.query, operation.operationName);
  const sent = { ...operation, operationName: chosen?.name?.value };
  if (chosen?.operation === OperationTypeNode.SUBSCRIPTION) {
    const variables = operation.variables as Record<string, unknown>;
    return socket(authorization).iterate({ ...sent, variables }) as ReturnType<Fetcher>;
  }
  headers.set("content-type", "application/json");
  headers.set("accept", "application/graphql-response+json, application/json;q=0.9");
  const response = await fetch("/graphql", {
    method: "POST",
    headers,
    body: JSON.stringify(sent),
  });
  return (await response.json()) as never;
};

/**
 * Returns the intended operation of a document. Directly after a change of tabs, the editor still reports the operation
 * name of the previous tab. So the name is used only if the document has several operations. Undefined if the document
 * cannot be parsed; the server then explains the error.
 */
function choose(document: string, name: string | null | undefined): OperationDefinitionNode | undefined {
  try {
    const definitions = parse(document).definitions;
    const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
    return operations.length === 1 ? operations[0] : operations.find((operation) => operation.name?.value === name);
  } catch {
    return undefined;
  }
}
