// All accounts, for operators of the platform.
import { graphql, type ResultOf, type VariablesOf } from "@ledgerbell/client/graphql";
import { useState, type ReactNode } from "react";

import { Amount, Card, More, Reading, Tag, usePlace } from "../place.js";
import { usePages } from "../query.js";
import { hrefOf } from "../route.js";

const ACCOUNT = graphql(`
  fragment ConsoleListedAccount on Account @_unmask {
    id
    name
    externalId
    status
    lastFindings {
      count
      severity
    }
    autoTopUp {
      id
      state
    }
    balance {
      id
      available
    }
  }
`);

const ACCOUNTS = graphql(
  `
    query ConsoleAccounts($filter: AccountFilter, $order: AccountOrder, $first: Int!, $after: String) {
      accounts(filter: $filter, orderBy: $order, first: $first, after: $after) {
        nodes {
          ...ConsoleListedAccount
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  `,
  [ACCOUNT],
);

type Account = ResultOf<typeof ACCOUNT>;
type Filter = NonNullable<VariablesOf<typeof ACCOUNTS>["filter"]>;

const STATUSES = ["ACTIVE", "FROZEN", "CLOSED"] as const;
const ORDERS = { OLDEST_FIRST: "oldest", NEWEST_FIRST: "newest", LOWEST_AVAILABLE_FIRST: "lowest" } as const;
const TONES: Record<string, string> = { ACTIVE: "plus", FROZEN: "warning", CRITICAL: "critical", WARNING: "warning" };
const PAGE = 50;

/** What an operator has chosen, as the texts of the fields. */
const NOTHING = { search: "", status: "", below: "", hasFindings: false, isPaused: false };

function filterOf({ search, status, below, hasFindings, isPaused }: typeof NOTHING): Filter {
  const wanted = search.trim();
  return {
    ...(wanted && { search: wanted }),
    ...(status && { statuses: [status as (typeof STATUSES)[number]] }),
    ...(/^-?\d+(\.\d{1,4})?$/.test(below) && { availableBelow: below }),
    ...(hasFindings && { hasFindings }),
    ...(isPaused && { autoTopUpPaused: isPaused }),
  };
}

export default function Accounts(): ReactNode {
  const { client, words } = usePlace();
  const [choice, setChoice] = useState(NOTHING);
  const [order, setOrder] = useState<keyof typeof ORDERS>("OLDEST_FIRST");
  const filter = filterOf(choice);
  const list = usePages(JSON.stringify([filter, order]), PAGE, async (first, after) => {
    return (await client.query(ACCOUNTS, { filter, order, first, after })).accounts;
  });
  const change = (part: Partial<typeof NOTHING>) => setChoice({ ...choice, ...part });
  const check = (label: string, name: "hasFindings" | "isPaused") => (
    <label className="console-check">
      <input type="checkbox" checked={choice[name]} onChange={(event) => change({ [name]: event.target.checked })} />
      <span>{label}</span>
    </label>
  );
  return (
    <Card title={words.screens.accounts ?? ""}>
      <div className="console-filters">
        <input
          type="search"
          aria-label={words.search}
          placeholder={words.search}
          value={choice.search}
          onChange={(event) => change({ search: event.target.value })}
        />
        <select
          aria-label={words.status}
          value={choice.status}
          onChange={(event) => change({ status: event.target.value })}
        >
          <option value="">{words.all}</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {words.accountStatus[status]}
            </option>
          ))}
        </select>
        <input
          className="console-number"
          inputMode="decimal"
          aria-label={words.balanceBelow}
          placeholder={words.balanceBelow}
          value={choice.below}
          onChange={(event) => change({ below: event.target.value.trim() })}
        />
        <select
          aria-label={words.order}
          value={order}
          onChange={(event) => setOrder(event.target.value as keyof typeof ORDERS)}
        >
          {Object.entries(ORDERS).map(([order, name]) => (
            <option key={order} value={order}>
              {words[name]}
            </option>
          ))}
        </select>
        <div className="console-checks">
          {check(words.finding, "hasFindings")}
          {check(words.rulePaused, "isPaused")}
        </div>
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
                    <th scope="col">{words.findings}</th>
                    <th scope="col">{words.balance}</th>
                  </tr>
                </thead>
                <tbody>
                  {accounts.map((account) => (
                    <Row key={account.id} account={account} />
                  ))}
                </tbody>
              </table>
            </div>
            {accounts.length === 0 && !list.hasMore && <p className="lb-empty">{words.nothing}</p>}
            <More list={list} />
            <p className="console-foot">
              <small>{words.newAccountHint}</small>
            </p>
          </>
        )}
      </Reading>
    </Card>
  );
}

function Row({ account }: { account: Account }): ReactNode {
  const { words } = usePlace();
  const { id, name, externalId, status, lastFindings, autoTopUp, balance } = account;
  return (
    <tr>
      <td>
        <a href={hrefOf({ accountId: id, screen: "overview" })}>{name}</a>
      </td>
      <td>{externalId}</td>
      <td>
        <Tag tone={TONES[status]}>{words.accountStatus[status] ?? status}</Tag>
      </td>
      <td>
        {lastFindings && lastFindings.count > 0 ? (
          <Tag tone={TONES[lastFindings.severity ?? ""]}>{lastFindings.count}</Tag>
        ) : (
          <span className="console-hint">{words.noFinding}</span>
        )}{" "}
        {autoTopUp?.state === "PAUSED" && <Tag tone="warning">{words.rulePaused}</Tag>}
      </td>
      <td>
        <Amount value={balance.available} />
      </td>
    </tr>
  );
}
