// The credit log as a server in JavaScript would read it: the page, and then members, sessions and keys in one statement each.

import pg from "pg";

export const typeDefs = `
  type Actor { label: String! }
  type Member { name: String! }
  type Session { title: String! }
  type Entry { id: ID! sequence: String! occurredAt: String! kind: String! amount: String! balanceAfter: String! description: String!
    actor: Actor! member: Member session: Session }
  type PageInfo { endCursor: String }
  type EntryConnection { nodes: [Entry!]! pageInfo: PageInfo! }
  type Balance { posted: String! available: String! }
  type LastFindings { count: Int! }
  type Account { creditLog(first: Int!, after: String): EntryConnection! balance: Balance! unreadCount(member: ID!): Int! lastFindings: LastFindings }
  type Query { account(id: String!): Account! }
`;
const NODE = `id sequence occurredAt kind amount balanceAfter description actor { label } member { name } session { title }`;
/** What an application shows first: the balance, the newest entries, the number of unread alerts, and the findings of the last check. */
export const screen = `query Screen($account: String!, $member: ID!) { account(id: $account) { balance { posted available }
  creditLog(first: 20) { pageInfo { endCursor } nodes { ${NODE} } } unreadCount(member: $member) lastFindings { count } } }`;
export const query = `query Page($account: String!, $after: String) { account(id: $account) { creditLog(first: 50, after: $after) {
  pageInfo { endCursor } nodes { ${NODE} } } } }`;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 5 });
const read = async (name, text, values) => (await pool.query({ name, text, values })).rows;
const byId = (rows) => new Map(rows.map((row) => [row.id, row]));
const ids = (entries, ...columns) => [...new Set(entries.flatMap((entry) => columns.map((column) => entry[column])).filter(Boolean))];
const credits = (units) => (Number(units) / 10_000).toString();

async function page(account, first, after) {
  const entries = await read(
    "page",
    `SELECT sequence, id, occurred_at, kind, amount, balance_after, description, actor_kind, actor_key_id, actor_member_id, member_id,
       session_id FROM credit_entry WHERE account_id = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3`,
    [account, after ?? "9223372036854775807", first],
  );
  const [members, sessions, keys] = await Promise.all([
    read("members", "SELECT id, name FROM member WHERE account_id = $1 AND id = ANY($2)", [account, ids(entries, "member_id", "actor_member_id")]),
    read("sessions", "SELECT id, title FROM session WHERE account_id = $1 AND id = ANY($2)", [account, ids(entries, "session_id")]),
    read("keys", "SELECT id, name FROM api_key WHERE id = ANY($1)", [ids(entries, "actor_key_id")]),
  ]);
  const [member, session, key] = [members, sessions, keys].map(byId);
  const label = (entry) => key.get(entry.actor_key_id)?.name ?? member.get(entry.actor_member_id)?.name ?? "Ledgerbell";
  const nodes = entries.map((entry) => ({
    id: entry.id,
    sequence: entry.sequence,
    occurredAt: new Date(Number(entry.occurred_at)).toISOString(),
    kind: entry.kind,
    amount: credits(entry.amount),
    balanceAfter: credits(entry.balance_after),
    description: entry.description,
    actor: { label: label(entry) },
    member: member.get(entry.member_id),
    session: session.get(entry.session_id),
  }));
  return { nodes, pageInfo: { endCursor: entries.at(-1)?.sequence } };
}

// A compiled query of mercurius calls resolvers only, not functions in values.
export const resolvers = {
  Query: { account: (_, { id }) => ({ id }) },
  Account: {
    creditLog: ({ id }, { first, after }) => page(id, first, after),
    balance: async ({ id }) => {
      const [{ posted, held }] = await read("balance", "SELECT posted, held FROM account_state WHERE account_id = $1", [id]);
      return { posted: credits(posted), available: credits(posted - held) };
    },
    unreadCount: async ({ id }, { member }) => {
      const unread = `SELECT COUNT(*) AS count FROM delivery WHERE account_id = $1 AND recipient_id = $2 AND channel = 'IN_APP'
        AND read_at IS NULL AND archived_at IS NULL`;
      return (await read("unread", unread, [id, member]))[0].count;
    },
    lastFindings: async ({ id }) => (await read("findings", "SELECT findings AS count FROM account_finding WHERE account_id = $1", [id]))[0],
  },
};
