// All accounts, for operators of the platform.
import { graphql } from "@ledgerbell/client/graphql";
import { useState, type ReactNode } from "react";

import { Amount, Card, More, Reading, Tag, usePlace } from "../place.js";
import { usePages } from "../query.js";
import { hrefOf } from "../route.js";

const ACCOUNTS = graphql(`
  query ConsoleAccounts($search: String, $status: AccountStatus, $first: Int!, $after: String) {
    accounts(search: $search, status: $status, first: $first, after: $after) {
      nodes {
        id
        name
        externalId
        status
        balance {
          id
          available
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const STATUSES = ["ACTIVE", "FROZEN", "CLOSED"] as const;
const TONES: Record<string, string> = { ACTIVE: "plus", FROZEN: "warning" };
const PAGE = 50;

export default function Accounts(): ReactNode {
  const { client, words } = usePlace();
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState<(typeof STATUSES)[number] | "">("");
  const wanted = search.trim();
  const list = usePages(JSON.stringify([wanted, status]), PAGE, async (first, after) => {
    const variables = { search: wanted || null, status: status || null, first, after };
    return (await client.query(ACCOUNTS, variables)).accounts;
  });
  return (
    <Card title={words.screens.accounts ?? ""}>
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
              {words.accountStatus[status]}
            </option>
          ))}
        </select>
      </div>
      <Reading read={list}>
        {(accounts) => (
          <>
            <div className="console-scroll" tabIndex={0} role="group" aria-label={words.screens.accounts}>
              <table className="console-table">
                <thead>
                  <tr>
                    <th scope="col">{words.name2}</th>
                    <th scope="col">{words.externalId}</th>
                    <th scope="col">{words.status}</th>
                    <th scope="col">{words.balance}</th>
                  </tr>
                </thead>
                <tbody>
                  {accounts.map((account) => (
                    <tr key={account.id}>
                      <td>
                        <a href={hrefOf({ accountId: account.id, screen: "overview" })}>{account.name}</a>
                      </td>
                      <td>{account.externalId}</td>
                      <td>
                        <Tag tone={TONES[account.status]}>{words.accountStatus[account.status] ?? account.status}</Tag>
                      </td>
                      <td>
                        <Amount value={account.balance.available} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {accounts.length === 0 && <p className="lb-empty">{words.nothing}</p>}
            <More list={list} />
            <p>
              <small>{words.newAccountHint}</small>
            </p>
          </>
        )}
      </Reading>
    </Card>
  );
}
