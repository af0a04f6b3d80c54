// Signs in, books a session, completes it, and prints the filtered credit log with its totals.
// LEDGERBELL_DEMO is the line that `ledgerbell demo --json` prints.
import { randomUUID } from "node:crypto";

import { Client, accepted, graphql } from "./client.js";

interface Demo {
  url: string;
  accountId: string;
  ownerToken: string;
  memberToken: string;
  apiKey: string;
}

const SignIn = graphql(`
  query SignIn {
    viewer {
      member { id name role }
      account {
        name
        balance { posted held available }
        eligibility { canBook canJoin reason }
      }
    }
  }
`);

const Book = graphql(`
  mutation Book($input: BookSessionInput!) {
    bookSession(input: $input) {
      session { id title status held }
      balance { available }
      userErrors { code message field }
    }
  }
`);

const Complete = graphql(`
  mutation Complete($input: CompleteSessionInput!) {
    completeSession(input: $input) {
      session { id status charged }
      balance { posted available }
      entry { sequence amount balanceAfter }
      userErrors { code message field }
    }
  }
`);

const Log = graphql(`
  query Log($filter: CreditLogFilter!, $after: String) {
    account {
      creditLog(filter: $filter, first: 5, after: $after) {
        nodes {
          sequence
          occurredAt
          kind
          amount
          balanceAfter
          description
          actor { kind label }
          member { name }
          session { title status }
        }
        pageInfo { hasNextPage endCursor }
        totals { scope count added deducted net }
      }
    }
  }
`);

const demo = JSON.parse(process.env["LEDGERBELL_DEMO"] ?? "{}") as Partial<Demo>;
if (!demo.url || !demo.ownerToken || !demo.memberToken || !demo.apiKey || !demo.accountId) {
  throw new Error("set LEDGERBELL_DEMO to the line that `ledgerbell demo --json` prints");
}
const endpoint = new URL("/graphql", demo.url).toString();
const owner = new Client(endpoint, demo.ownerToken);
const member = new Client(endpoint, demo.memberToken);
const platform = new Client(endpoint, demo.apiKey);

// A member signs in with the token that your application has created.
const { viewer } = await owner.run(SignIn, {});
const me = viewer.member;
const account = viewer.account;
if (!me || !account) throw new Error("the owner is a member of an account");
console.log(`Signed in as ${me.name} (${me.role}) of ${account.name}.`);
console.log(`Balance: ${account.balance.posted} posted, ${account.balance.held} held, ${account.balance.available} available.`);

const colleague = (await member.run(SignIn, {})).viewer.member;
if (!colleague) throw new Error("the member's token names a member");

// Your server books for a member with its API key; the credits are held from now on.
const startsAt = new Date();
const endsAt = new Date(startsAt.getTime() + 60 * 60 * 1000);
const booking = {
  accountId: demo.accountId,
  memberId: colleague.id,
  title: "Pair programming",
  startsAt: startsAt.toISOString(),
  endsAt: endsAt.toISOString(),
  credits: "12.5",
  idempotencyKey: `book-${randomUUID()}`,
};
const booked = accepted((await platform.run(Book, { input: booking })).bookSession);
if (!booked.session) throw new Error("a booking answers its session");
console.log(`Booked "${booked.session.title}" for ${colleague.name}: ${booked.session.held} held, ${booked.balance?.available} available.`);

// If a response was lost, the request is repeated with the same key: the session is booked once.
const again = accepted((await platform.run(Book, { input: booking })).bookSession);
if (again.session?.id !== booked.session.id) throw new Error("the same key answers the same session");

// The session was shorter than booked: the used credits are deducted, the rest is released.
const completed = accepted(
  (
    await platform.run(Complete, {
      input: {
        accountId: demo.accountId,
        sessionId: booked.session.id,
        credits: "10",
        idempotencyKey: `complete-${booked.session.id}`,
      },
    })
  ).completeSession,
);
console.log(`Completed: ${completed.session?.charged} charged, ${completed.balance?.available} available.`);

// The owner reads what that member used in the last 30 days.
const from = new Date(startsAt.getTime() - 30 * 24 * 60 * 60 * 1000).toISOString();
const filter = { kinds: ["SESSION" as const], memberIds: [colleague.id], occurredAt: { from } };
console.log(`\nSessions of ${colleague.name} since ${from.slice(0, 10)}:`);
let after: string | null = null;
let totals;
let printed = 0;
do {
  const page: { after: string | null } = { after };
  const log = (await owner.run(Log, { filter, ...page })).account?.creditLog;
  if (!log) throw new Error("an owner reads the whole log");
  for (const entry of log.nodes) {
    const title = entry.session?.title ?? entry.description;
    console.log(
      `  ${entry.sequence.padStart(5)}  ${entry.occurredAt}  ${entry.amount.padStart(9)}  ${entry.balanceAfter.padStart(10)}  ${title}  (${entry.actor.label})`,
    );
    printed += 1;
  }
  totals = log.totals;
  after = log.pageInfo.hasNextPage ? log.pageInfo.endCursor : null;
} while (after);
console.log(`Total: ${totals?.count} entries, ${totals?.deducted} deducted, net ${totals?.net} (${totals?.scope}).`);
if (totals?.count !== String(printed)) throw new Error(`printed ${printed} entries, but the totals count ${totals?.count}`);
if (completed.entry?.amount !== "-10") throw new Error(`the charge shows as ${completed.entry?.amount}`);
