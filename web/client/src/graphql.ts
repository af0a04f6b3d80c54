// Typed documents. What TypeScript knows of the schema is generated from schema.graphql; nothing of it is in the bundle.
import type { initGraphQLTada } from "gql.tada";

import type { introspection } from "./schema.d.ts";

export type { introspection };
export type { FragmentOf, ResultOf, VariablesOf } from "gql.tada";

/** Amounts, instants and large numbers are strings: a JavaScript number would lose digits. */
export interface Scalars {
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
}

type Graphql = ReturnType<typeof initGraphQLTada<{ introspection: introspection; scalars: Scalars }>>;

interface Text {
  loc: { source: { body: string } };
}

function document(text: string, fragments: readonly Text[] = []): Text {
  // The same fragment may come by two ways; the server takes its definition once.
  const parts = new Set([text.replace(/\s*@_unmask\b/g, ""), ...fragments.map((fragment) => fragment.loc.source.body)]);
  return { loc: { source: { body: [...parts].join("\n") } } };
}

/**
 * Writes a document whose variables and result have types: `graphql("query { account { name } }")`. It is for this package's client;
 * for other clients call `initGraphQLTada` of gql.tada with {@link introspection} and {@link Scalars}.
 */
export const graphql = document as unknown as Graphql;
