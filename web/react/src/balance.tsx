import { useId, type ReactNode } from "react";

import { Credits, Time, amountIn } from "./format.js";
import { useAccount, useForecast } from "./hooks.js";
import { Loading, Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** The account's balance: available credits in large digits, their parts, and how long they last. */
export function Balance(): ReactNode {
  const { words } = useLedgerbell();
  const { phase, account, balance, live, error, refresh } = useAccount();
  const id = useId();
  const isOut = balance !== null && Number(balance.available) <= 0;
  return (
    <section className="lb lb-card lb-balance" aria-labelledby={id} aria-busy={phase === "loading"}>
      <header className="lb-head">
        <h2 id={id}>{words.balance}</h2>
      </header>
      {phase === "missing" && <p className="lb-empty">{words.missing}</p>}
      {phase === "loading" && !error && <Loading />}
      {account && account.status !== "ACTIVE" && (
        <p className="lb-notice lb-critical">
          <strong>{words.accountStatus[account.status] ?? account.status}</strong> {account.frozenReason}
        </p>
      )}
      {balance && (
        <>
          <dl className={isOut ? "lb-out" : undefined}>
            {(["available", "posted", "held", "incoming"] as const).map((name) => (
              <div key={name} className={`lb-${name}`}>
                <dt>{words[name]}</dt>
                <dd>
                  <Credits amount={balance[name]} />
                </dd>
              </div>
            ))}
          </dl>
          <DaysLeft />
        </>
      )}
      <Trouble error={error} live={live} retry={refresh} />
    </section>
  );
}

function DaysLeft(): ReactNode {
  const { words, locale } = useLedgerbell();
  const forecast = useForecast();
  if (!forecast) return null;
  const { daysLeft, creditsPerDay, nextAutoTopUpAt } = forecast;
  if (Number(creditsPerDay) === 0) return null;
  return (
    <p className="lb-hint lb-daysleft">
      {daysLeft !== null && <strong>{words.daysLeft(Math.floor(daysLeft))}</strong>}
      <span>{words.rate(amountIn(locale, Number(creditsPerDay).toFixed(1)))}</span>
      {nextAutoTopUpAt && (
        <span>
          {words.nextAutoTopUp} <Time at={nextAutoTopUpAt} />
        </span>
      )}
    </p>
  );
}
