/** An example operation. */
export interface Example {
  query: string;
  variables?: string;
}

/** Returns the README's five tasks, and the two ways to follow their effects. With an account id they run unchanged. */
export function examples(accountId: string | null): Example[] {
  const account = accountId ?? "acc_…";
  const day = (from: number) => new Date(Date.now() + from * 86_400_000).toISOString();
  const key = (what: string) => `explorer-${what}-${Math.random().toString(36).slice(2, 8)}`;
  const booking = key("session");
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  return [
    {
      query: LOG,
      variables: json({ account, filter: { kinds: ["SESSION"], search: "german" } }),
    },
    {
      query: SIGN_UP,
      variables: json({
        team: {
          externalId: key("team"),
          name: "A new team",
          creditPrice: "1.50",
          currency: "EUR",
          owner: { externalId: key("person"), name: "Ada Lovelace", email: "ada@example.com", role: "OWNER" },
        },
      }),
    },
    {
      query: BOOK,
      variables: json({
        input: {
          accountId: account,
          memberExternalId: "priya",
          externalId: booking,
          title: "German, level B2",
          startsAt: day(1),
          endsAt: day(1.05),
          credits: "10",
          idempotencyKey: key("book"),
        },
      }),
    },
    {
      query: COMPLETE,
      variables: json({
        input: { accountId: account, externalId: booking, credits: "7.5", idempotencyKey: key("complete") },
      }),
    },
    {
      query: REFUND,
      variables: json({
        input: {
          accountId: account,
          externalId: booking,
          credits: "2.5",
          reason: "The trainer was late",
          idempotencyKey: key("refund"),
        },
      }),
    },
    {
      query: GRANT,
      variables: json({
        input: { accountId: account, credits: "5", description: "With our apologies", idempotencyKey: key("grant") },
      }),
    },
    {
      query: TOP_UP,
      variables: json({ input: { accountId: account, credits: "50", idempotencyKey: key("top-up") } }),
    },
    { query: LIVE, variables: json({ account }) },
  ];
}

const LOG = `# What did the team spend on German lessons, and who?
query CreditLog($account: ID, $filter: CreditLogFilter) {
  account(id: $account) {
    name
    balance { posted held available }
    creditLog(filter: $filter, first: 5) {
      nodes {
        occurredAt
        amount
        balanceAfter
        member { name }
        session { title status }
        actor { label }
      }
      totals { count deducted }
      liveCursor
      pageInfo { hasNextPage endCursor }
    }
  }
}
`;

const SIGN_UP = `# 1. When a team signs up. The same externalId makes no second one.
mutation SignUp($team: CreateAccountInput!) {
  createAccount(input: $team) {
    account { id name externalId }
    userErrors { code message field }
  }
}
`;

const BOOK = `# 2. When somebody books: the credits are held, or it answers how many are missing.
mutation Book($input: BookSessionInput!) {
  bookSession(input: $input) {
    session { id title status startsAt held }
    balance { posted held available }
    userErrors { code message field }
  }
}
`;

const COMPLETE = `# 3. When it took place: what was used is deducted, the rest is released. It completes the session of the tab "Book".
mutation Complete($input: CompleteSessionInput!) {
  completeSession(input: $input) {
    session { id status charged }
    entry { id amount balanceAfter }
    userErrors { code message field }
  }
}
`;

const REFUND = `# 4. When something was wrong. It refunds the session of the tab "Book", once that is completed.
mutation Refund($input: RefundSessionInput!) {
  refundSession(input: $input) {
    session { id status charged refunded }
    entry { id amount balanceAfter }
    userErrors { code message field }
  }
}
`;

const GRANT = `# 4. To give credits away.
mutation Grant($input: GrantCreditsInput!) {
  grantCredits(input: $input) {
    entry { id amount balanceAfter }
    balance { posted held available }
    userErrors { code message field }
  }
}
`;

const TOP_UP = `# 5. When credits run low: buys some with the account's card.
mutation TopUp($input: CreateTopUpInput!) {
  createTopUp(input: $input) {
    topUp { id status credits price { amount currency } canRetry failure { message } }
    userErrors { code message field }
  }
}
`;

const LIVE = `# All that changes in the account, as it happens. Run this, then another tab.
subscription Live($account: ID, $after: LiveCursor) {
  accountUpdated(accountId: $account, after: $after) {
    cursor
    signal
    account { balance { posted held available } }
    entries { occurredAt kind amount balanceAfter }
    sessions { id title status }
    topUps { id status }
  }
}
`;
