// What the client takes for a GraphQL document: text, or what typed-document libraries make.

/** A document that says which variables it takes and what it answers, as gql.tada and GraphQL Code Generator make them. */
export interface TypedDocument<Result, Variables> {
  __apiType?: (variables: Variables) => Result;
}

/** A text, or a document with types. */
export type Document<Result, Variables> = string | TypedDocument<Result, Variables>;

/** Variables of a mutation: idempotency keys may be left out, for the client makes them. */
export type Keyless<Value> = Value extends readonly (infer Item)[]
  ? readonly Keyless<Item>[]
  : Value extends object
    ? { [Key in keyof Value as Key extends "idempotencyKey" ? never : Key]: Keyless<Value[Key]> } & {
        idempotencyKey?: string;
      }
    : Value;

/** Returns the text of a document. */
export function textOf(document: Document<never, never> | object): string {
  if (typeof document === "string") return document;
  // Documents of `documentMode: "string"` are objects of String.
  if (document instanceof String) return document.toString();
  return (document as { loc: { source: { body: string } } }).loc.source.body;
}
