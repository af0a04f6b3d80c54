// Idempotency keys. The same key with the same input does a thing once, however often it is sent.
import { BATCHES, KEYED } from "./keyed.js";

/** Returns a random text. */
export function newKey(): string {
  // Without `crypto.randomUUID` (React Native, pages without TLS) 100 bits of Math.random have to do: keys are no secrets.
  const random = () => Math.random().toString(36).slice(2, 12);
  return (globalThis.crypto as Partial<Crypto> | undefined)?.randomUUID?.() ?? `${random()}-${random()}`;
}

type Variables = Record<string, unknown>;

const keyed = (input: unknown): unknown =>
  input && typeof input === "object" && !(input as Variables).idempotencyKey
    ? { ...input, idempotencyKey: newKey() }
    : input;

/** Returns the variables with a key in each input that takes one, and whether there is any such input. */
export function withKeys(query: string, variables: Variables): { variables: Variables; isKeyed: boolean } {
  const result = { variables: { ...variables }, isKeyed: false };
  for (const [, name = "", type = ""] of query.matchAll(/\$(\w+)\s*:\s*\[?\s*(\w+)/g)) {
    const value = result.variables[name];
    if (KEYED.includes(type)) {
      result.isKeyed = true;
      result.variables[name] = Array.isArray(value) ? value.map(keyed) : keyed(value);
    } else if (BATCHES.includes(type) && value) {
      const { items } = value as { items: unknown[] };
      result.isKeyed = true;
      result.variables[name] = { ...value, items: items.map(keyed) };
    }
  }
  return result;
}
