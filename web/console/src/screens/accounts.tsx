// All accounts, for operators of the platform.
import { graphql, type ResultOf, type VariablesOf } from "@ledgerbell/client/graphql";
import { useUrlState } from "@ledgerbell/react";
import type { ReactNode } from "react";

import { Choice, Filter } from "../form.js";
import { Amount, Card, Table, Tag } from "../parts.js";
import { usePlace } from "../place.js";
import { usePages } from "../query.js";
import { ACCOUNT_LIST, hrefOf } from "../route.js";

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
type AccountFilter = NonNullable<VariablesOf<typeof ACCOUNTS>["filter"]>;

const STATUSES = ["ACTIVE", "FROZEN", "CLOSED"] as const;
/** The first is the usual one. */
const ORDERS = ["OLDEST_FIRST", "NEWEST_FIRST", "LOWEST_AVAILABLE_FIRST"] as const;
const TONES: Record<string, string> = { ACTIVE: "plus", FROZEN: "warning", CRITICAL: "critical", WARNING: "warning" };
const PAGE = 50;

/** What an operator has chosen, as it is in the address. */
const NOTHING = { q: "", status: "", below: "", findings: "", paused: "", order: "" };

function filterOf({ q, status, below, findings, paused }: typeof NOTHING): AccountFilter {
  const chosen = STATUSES.find((name) => name === status);
  return {
    ...(q && { search: q }),
    ...(chosen && { statuses: [chosen] }),
    ...(/^-?\d+(\.\d{1,4})?$/.test(below) && { availableBelow: below }),
    ...(findings && { hasFindings: true }),
    ...(paused && { autoTopUpPaused: true }),
  };
}

export default function Accounts(): ReactNode {
  const { client, words } = usePlace();
  const [choice, change] = useUrlState(ACCOUNT_LIST, NOTHING);
  const filter = filterOf(choice);
  const order = ORDERS.find((name) => name === choice.order) ?? ORDERS[0];
  const list = usePages(JSON.stringify([filter, order]), PAGE, async (first, after) => {
    return (await client.query(ACCOUNTS, { filter, order, first, after })).accounts;
  });
  const check = (label: string, name: "findings" | "paused") => (
    <label className="console-check">
      <input
        type="checkbox"
        checked={choice[name] !== ""}
        onChange={(event) => change({ [name]: event.target.checked ? "1" : "" })}
      />
      <span>{label}</span>
    </label>
  );
  return (
    <Card title={words.screens.accounts ?? ""}>
      <div className="console-filters">
        <Filter label={words.search} value={choice.q} onChange={(q) => change({ q }, true)} />
        <Choice
          label={words.status}
          value={choice.status}
          onChange={(status) => change({ status })}
          options={[["", words.all], ...STATUSES.map((name) => [name, words.accountStatus[name] ?? name] as const)]}
        />
        <Filter
          label={words.balanceBelow}
          value={choice.below}
          onChange={(below) => change({ below }, true)}
          isNumber
        />
        <Choice
          label={words.order}
          value={order}
          onChange={(order) => change({ order: order === ORDERS[0] ? "" : order })}
          options={ORDERS.map((name) => [name, words.accountOrder[name]])}
        />
        <div className="console-checks">
          {check(words.finding, "findings")}
          {check(words.rulePaused, "paused")}
        </div>
      </div>
      <Table
        title={words.screens.accounts ?? ""}
        columns={[words.name2, words.externalId, words.status, words.findings, words.balance]}
        list={list}
      >
        {(account) => <Row key={account.id} account={account} />}
      </Table>
      <p className="console-foot">
        <small>{words.newAccountHint}</small>
      </p>
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
