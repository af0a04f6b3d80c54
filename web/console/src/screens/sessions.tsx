import { graphql } from "@ledgerbell/client/graphql";
import { useState, type ReactNode } from "react";

import { Amount, Card, Instant, Reading, Tag, usePlace } from "../place.js";
import { useLiveRefresh, useRead } from "../query.js";

const SESSIONS = graphql(`
  query ConsoleSessions($account: ID, $filter: SessionFilter, $first: Int!) {
    account(id: $account) {
      id
      sessions(filter: $filter, orderBy: STARTS_AT, first: $first) {
        nodes {
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
        pageInfo {
          hasNextPage
        }
      }
    }
  }
`);

const STATUSES = ["BOOKED", "PROCESSING", "COMPLETED", "CANCELED", "NO_SHOW", "EXPIRED"] as const;
const TONES: Record<string, string> = { BOOKED: "info", PROCESSING: "warning", COMPLETED: "plus", EXPIRED: "warning" };
const PAGE = 25;

export default function Sessions(): ReactNode {
  const { client, accountId, words } = usePlace();
  const [status, setStatus] = useState<(typeof STATUSES)[number] | "">("");
  const [search, setSearch] = useState("");
  const [first, setFirst] = useState(PAGE);
  const filter = { ...(status ? { statuses: [status] } : {}), ...(search.trim() ? { search: search.trim() } : {}) };
  const read = useRead(JSON.stringify([filter, first]), () =>
    client.query(SESSIONS, { account: accountId, filter, first }),
  );
  useLiveRefresh(client, accountId, read.refresh);
  return (
    <Card title={words.screens.sessions ?? ""}>
      <div className="console-filters">
        <input
          type="search"
          aria-label={words.search}
          placeholder={words.search}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <select
          aria-label={words.status}
          value={status}
          onChange={(event) => setStatus(event.target.value as typeof status)}
        >
          <option value="">{words.all}</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {words.sessionStatus[status]}
            </option>
          ))}
        </select>
      </div>
      <Reading read={read}>
        {({ account }) => (
          <>
            <div className="console-scroll" tabIndex={0} role="group" aria-label={words.screens.sessions}>
              <table className="console-table">
                <thead>
                  <tr>
                    <th scope="col">{words.starts}</th>
                    <th scope="col">{words.title}</th>
                    <th scope="col">{words.member}</th>
                    <th scope="col">{words.status}</th>
                    <th scope="col">{words.credits}</th>
                  </tr>
                </thead>
                <tbody>
                  {account?.sessions?.nodes.map((session) => (
                    <tr key={session.id}>
                      <td>
                        <Instant at={session.startsAt} />
                      </td>
                      <td>{session.title}</td>
                      <td>{session.member.name}</td>
                      <td>
                        <Tag tone={TONES[session.status]}>{words.sessionStatus[session.status] ?? session.status}</Tag>
                      </td>
                      <td>
                        {Number(session.held) > 0 ? (
                          <>
                            <Amount value={session.held} /> {words.held}
                          </>
                        ) : (
                          session.charged && (
                            <>
                              <Amount value={session.charged} /> {words.charged}
                            </>
                          )
                        )}
                        {Number(session.refunded) > 0 && (
                          <>
                            , <Amount value={session.refunded} /> {words.refunded}
                          </>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {account?.sessions?.nodes.length === 0 && <p className="lb-empty">{words.nothing}</p>}
            {account?.sessions?.pageInfo.hasNextPage && first < 100 && (
              <button type="button" disabled={read.isLoading} onClick={() => setFirst(Math.min(100, first + PAGE))}>
                {words.more}
              </button>
            )}
          </>
        )}
      </Reading>
    </Card>
  );
}
