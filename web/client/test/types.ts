// What TypeScript makes of the package as applications see it. It is compiled, not run.
import { RefusedError, createLedgerbell, type AccountState } from "@ledgerbell/client";
import { graphql } from "@ledgerbell/client/graphql";

const ledgerbell = createLedgerbell({ url: "https://credits.example.com/graphql", token: () => "token" });

// Texts answer what the caller says that they do.
const named = await ledgerbell.query<{ account: { name: string } }>("{ account { name } }");
named.account.name.length;
for await (const message of ledgerbell.live<{ a: { cursor: string; many: number } }>("subscription { a }")) {
  if (message.type === "event") message.event.many.toFixed();
}

// Typed documents know their variables and results.
const One = graphql("query ($id: ID!) { account(id: $id) { status balance { available } } }");
const { account } = await ledgerbell.query(One, { id: "acc_1" });
const available: string | undefined = account?.balance.available;
const status: "ACTIVE" | "FROZEN" | "CLOSED" | undefined = account?.status;
// @ts-expect-error: the id is required.
await ledgerbell.query(One, {});
// @ts-expect-error: and so are variables.
await ledgerbell.query(One);

// Keys may be left out; nothing else may.
const TopUp = graphql("mutation ($input: CreateTopUpInput!) { createTopUp(input: $input) { userErrors { code } } }");
await ledgerbell.mutate(TopUp, { input: { credits: "1" } });
await ledgerbell.mutate(TopUp, { input: { credits: "1", idempotencyKey: "order-1" } });
// @ts-expect-error: credits are a text.
await ledgerbell.mutate(TopUp, { input: { credits: 1 } });

const Entries = graphql(
  "subscription ($after: LiveCursor) { creditEntryPosted(after: $after) { cursor signal entry { id } } }",
);
for await (const message of ledgerbell.live(Entries, { after: null })) {
  if (message.type === "event") message.event.entry?.id.length;
  // @ts-expect-error: only events have one.
  else message.event.length;
}

const state: AccountState = ledgerbell.account().getSnapshot();
// @ts-expect-error: what a store shows is not to be changed.
state.unreadCount = 0;
const code = (error: unknown): string | undefined => (error instanceof RefusedError ? error.code : undefined);
