import type { Fetcher } from "@graphiql/toolkit";
import { Kind, OperationTypeNode, parse, type OperationDefinitionNode } from "graphql";
import { createClient, type Client } from "graphql-ws";

import { header } from "./signIns.js";

/** Sockets by the credential that they were opened with. */
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
 * Sends queries and mutations by POST and follows subscriptions over a socket. A header that the headers editor names is sent as it
 * is; else `authorization` is that of whom the page is signed in as.
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
 * The operation of a document that is meant. Right after another tab was chosen, the editor still names one of the tab before: so a name
 * counts only where there are several. Undefined for what does not parse, which the server explains.
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
