// Answers the three questions of the help page with live data, and how the API is called.
import { graphql } from "@ledgerbell/client/graphql";
import { CreditLog, Findings, Inbox, TopUps } from "@ledgerbell/react";
import { useEffect, useState, type ReactNode } from "react";

import { Amount, Card, Figures, Instant, Reading } from "../parts.js";
import { usePlace } from "../place.js";
import { useRead, useThrottled } from "../query.js";
import { ApiHelp } from "./apiHelp.js";
import { useChoosing } from "./index.js";

type Trouble = "changed" | "topup" | "alert" | "api";

export default function Help(): ReactNode {
  const { permissions, words } = usePlace();
  const sees = permissions.has("READ_CREDIT_LOG");
  const [trouble, setTrouble] = useState<Trouble>("changed");
  const choose = useChoosing();
  const troubles: [Trouble, string, string][] = [
    ["changed", words.helpChanged, words.helpChangedHint],
    ...(sees ? ([["topup", words.helpTopUp, words.helpTopUpHint]] as [Trouble, string, string][]) : []),
    ["alert", words.helpAlert, words.helpAlertHint],
    ["api", words.helpApi, words.helpApiHint],
  ];
  const hint = troubles.find(([name]) => name === trouble)?.[2];
  return (
    <>
      <div className="lb-segments console-troubles" role="group" aria-label={words.screens.help}>
        {troubles.map(([name, question]) => (
          <button key={name} type="button" aria-pressed={trouble === name} onClick={() => setTrouble(name)}>
            {question}
          </button>
        ))}
      </div>
      <p className="console-hint">{hint}</p>
      {trouble === "changed" && (
        <>
          {sees && <Explanation />}
          <CreditLog pageSize={20} urlPrefix="help-" />
        </>
      )}
      {trouble === "topup" && (
        <>
          <Findings onChoose={choose} />
          <TopUps />
        </>
      )}
      {trouble === "api" && <ApiHelp />}
      {trouble === "alert" && (
        <>
          <Inbox onAction={choose} />
          {sees && <Findings onChoose={choose} />}
        </>
      )}
    </>
  );
}

const EXPLAIN = graphql(`
  query ConsoleExplain($account: ID, $at: DateTime) {
    account(id: $account) {
      id
      explainBalance(at: $at) {
        at
        posted
        held
        available
        entries(first: 10) {
          nodes {
            id
            occurredAt
            kind
            amount
            balanceAfter
            description
          }
        }
        holds(first: 10) {
          nodes {
            credits
            session {
              id
              title
              startsAt
            }
          }
        }
      }
    }
  }
`);

/** The current time in the viewer's time zone, in the format of an input for instants. */
function localNow(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Explanation(): ReactNode {
  const { client, accountId, words } = usePlace();
  const [now] = useState(localNow);
  const [at, setAt] = useState(now);
  // The current minute has not ended, so the latest events count.
  const instant = at && at !== now ? new Date(at).toISOString() : null;
  const read = useRead(instant ?? "now", () => client.query(EXPLAIN, { account: accountId, at: instant }));
  // The past stays as it was. The present is read again when the account changes.
  const refreshSoon = useThrottled(read.refresh);
  useEffect(
    () => (instant ? undefined : client.account(accountId).subscribe(refreshSoon)),
    [client, accountId, instant, refreshSoon],
  );
  return (
    <Card
      title={words.explain}
      aside={
        <input
          type="datetime-local"
          aria-label={words.at}
          max={now}
          value={at}
          onChange={(event) => setAt(event.target.value)}
        />
      }
    >
      <Reading read={read}>
        {({ account }) => {
          const explained = account?.explainBalance;
          if (!explained) return <p className="lb-empty">{words.nothing}</p>;
          return (
            <>
              <Figures
                figures={[
                  [words.available, <Amount value={explained.available} />],
                  [words.posted, <Amount value={explained.posted} />],
                  [words.heldTitle, <Amount value={explained.held} />],
                ]}
              />
              {explained.holds?.nodes.length ? (
                <ul className="console-list">
                  {explained.holds.nodes.map((hold, at) => (
                    <li key={hold.session?.id ?? at}>
                      <span>
                        {hold.session?.title} <small>{hold.session && <Instant at={hold.session.startsAt} />}</small>
                      </span>
                      <span>
                        <Amount value={hold.credits} /> {words.held}
                      </span>
                    </li>
                  ))}
                </ul>
              ) : null}
              <h3>{words.entriesBefore}</h3>
              <ul className="console-list">
                {explained.entries?.nodes.map((entry) => (
                  <li key={entry.id}>
                    <span>
                      {entry.description}{" "}
                      <small>
                        <Instant at={entry.occurredAt} />
                      </small>
                    </span>
                    <Amount value={entry.amount} isSigned />
                  </li>
                ))}
              </ul>
            </>
          );
        }}
      </Reading>
    </Card>
  );
}
