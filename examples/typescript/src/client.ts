// The whole client: one typed function over fetch. The types of operations and results come from schema.graphql.
import { initGraphQLTada, type TadaDocumentNode } from "gql.tada";
import { print } from "graphql";

import type { introspection } from "./schema.js";

export const graphql = initGraphQLTada<{
  introspection: introspection;
  // Amounts, instants and big numbers are strings: a JavaScript number would lose digits.
  scalars: {
    Credits: string;
    Currency: string;
    Date: string;
    DateTime: string;
    Decimal: string;
    Int64: string;
    JSON: unknown;
    LiveCursor: string;
    LocalTime: string;
    TimeZone: string;
  };
}>();

export interface UserError {
  code: string;
  message: string;
  field: readonly string[] | null;
}

export class Client {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  /** Runs one operation. Throws on transport and top-level errors; refusals are in the result's userErrors. */
  async run<Result, Variables>(document: TadaDocumentNode<Result, Variables>, variables: Variables): Promise<Result> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${this.token}`,
        "content-type": "application/json",
        accept: "application/graphql-response+json",
      },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const body = (await response.json()) as { data?: Result; errors?: { message: string }[] };
    if (body.errors?.length || !body.data) {
      const messages = body.errors?.map((error) => error.message).join("; ") ?? "no data";
      throw new Error(`HTTP ${response.status}: ${messages}`);
    }
    return body.data;
  }
}

/** Throws when a mutation was refused, with the server's own words. */
export function accepted<Payload extends { userErrors: readonly UserError[] }>(payload: Payload | null): Payload {
  if (!payload) throw new Error("the mutation answered nothing");
  const [refusal] = payload.userErrors;
  if (refusal) throw new Error(`${refusal.code}: ${refusal.message}`);
  return payload;
}
