import { graphql, type ResultOf } from "@ledgerbell/client/graphql";
import { useUrlState } from "@ledgerbell/react";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { Choice, Filter } from "../form.js";
import { Amount, Card, Instant, Table, Tag } from "../parts.js";
import { usePlace } from "../place.js";
import { usePages, useThrottled } from "../query.js";

const SESSION = graphql(`
  fragment ConsoleSession on Session @_unmask {
    id
    title
    status
    startsAt
    held
    charged
    refunded
    member {
      id
      name
    }
  }
`);

const SESSIONS = graphql(
  `
    query ConsoleSessions($account: ID, $filter: SessionFilter, $first: Int!, $after: String) {
      account(id: $account) {
        id
        sessions(filter: $filter, orderBy: STARTS_AT, first: $first, after: $after) {
          liveCursor
          nodes {
            ...ConsoleSession
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [SESSION],
);

const CHANGES = graphql(
  `
    subscription ConsoleSessionChanges($account: ID, $after: LiveCursor) {
      accountUpdated(accountId: $account, topics: [SESSIONS], after: $after, replayAtMost: 1000) {
        cursor
        signal
        sessions {
          ...ConsoleSession
        }
      }
    }
  `,
  [SESSION],
);

type Session = ResultOf<typeof SESSION>;

const STATUSES = ["BOOKED", "PROCESSING", "COMPLETED", "CANCELED", "NO_SHOW", "EXPIRED"] as const;
const TONES: Record<string, string> = { BOOKED: "info", PROCESSING: "warning", COMPLETED: "plus", EXPIRED: "warning" };
const PAGE = 50;
/** The filters, as they are in the address. */
const NOTHING = { q: "", status: "" };

const startOf = ({ startsAt }: Session): number => Date.parse(startsAt);

/** Puts changed sessions where they belong. Those after the end of what is shown come with a later page. */
function merged(
  shown: readonly Session[],
  changed: readonly Session[],
  status: string,
  hasMore: boolean,
): readonly Session[] {
  const ids = new Set(changed.map(({ id }) => id));
  const last = shown.at(-1);
  const shownTo = hasMore && last ? startOf(last) : -Infinity;
  const added = changed.filter((session) => startOf(session) >= shownTo && (!status || session.status === status));
  const list = [...shown.filter(({ id }) => !ids.has(id)), ...added];
  return list.sort((one, other) => startOf(other) - startOf(one));
}

export default function Sessions(): ReactNode {
  const { client, accountId, words } = usePlace();
  const [choice, choose] = useUrlState("sessions-", NOTHING);
  const [cursor, setCursor] = useState<string | null>(null);
  const wanted = choice.q;
  const status = STATUSES.find((name) => name === choice.status) ?? "";
  const filter = { ...(status ? { statuses: [status] } : {}), ...(wanted ? { search: wanted } : {}) };
  const list = usePages(JSON.stringify(filter), PAGE, async (first, after) => {
    const { account } = await client.query(SESSIONS, { account: accountId, filter, first, after });
    setCursor((before) => before ?? account?.sessions?.liveCursor ?? null);
    return account?.sessions;
  });
  const { change, refresh } = list;
  const refreshSoon = useThrottled(refresh);
  const latest = useRef({ status, wanted });
  latest.current = { status, wanted };
  useEffect(() => {
    if (!cursor) return;
    const live = client.live(CHANGES, { account: accountId, after: cursor });
    const follow = async () => {
      for await (const message of live) {
        const { status, wanted } = latest.current;
        // Only the server knows what a search finds.
        if (message.type === "readAgain" || (message.type === "event" && wanted)) refreshSoon();
        else if (message.type === "event") {
          const { sessions } = message.event;
          change((shown, hasMore) => merged(shown, sessions, status, hasMore));
        }
      }
    };
    follow().catch(() => {
      // What cannot be followed is still shown. The frame of the page shows why.
    });
    return () => live.stop();
  }, [client, accountId, cursor, change, refreshSoon]);
  return (
    <Card title={words.screens.sessions ?? ""}>
      <div className="console-filters">
        <Filter label={words.search} value={choice.q} onChange={(q) => choose({ q }, true)} />
        <Choice
          label={words.status}
          value={status}
          onChange={(status) => choose({ status })}
          options={[["", words.all], ...STATUSES.map((name) => [name, words.sessionStatus[name] ?? name] as const)]}
        />
      </div>
      <Table
        title={words.screens.sessions ?? ""}
        columns={[words.starts, words.title, words.member, words.status, words.credits]}
        list={list}
      >
        {(session) => <Row key={session.id} session={session} />}
      </Table>
    </Card>
  );
}

function Row({ session }: { session: Session }): ReactNode {
  const { words } = usePlace();
  const { title, status, startsAt, held, charged, refunded, member } = session;
  return (
    <tr>
      <td>
        <Instant at={startsAt} />
      </td>
      <td>{title}</td>
      <td>{member.name}</td>
      <td>
        <Tag tone={TONES[status]}>{words.sessionStatus[status] ?? status}</Tag>
      </td>
      <td>
        {Number(held) > 0 ? (
          <>
            <Amount value={held} /> {words.held}
          </>
        ) : (
          charged && (
            <>
              <Amount value={charged} /> {words.charged}
            </>
          )
        )}
        {Number(refunded) > 0 && (
          <>
            , <Amount value={refunded} /> {words.refunded}
          </>
        )}
      </td>
    </tr>
  );
}
