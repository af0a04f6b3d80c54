// What settings of the rule would have done in the past.
import type { ReactNode } from "react";

import { Credits, Price } from "./format.js";
import { Refused } from "./parts.js";
import { useSimulation } from "./payments.js";
import { useLedgerbell } from "./provider.js";

/** Shows what a rule would have done over the last 90 days. */
export function WhatIf({ trigger, amount, cap }: { trigger: string; amount: string; cap: string | null }): ReactNode {
  const { words, locale } = useLedgerbell();
  const { data, isLoading, error } = useSimulation(trigger, amount, cap);
  const monthOf = (month: string) =>
    new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" }).format(
      new Date(`${month.slice(0, 7)}-01T00:00:00Z`),
    );
  return (
    <div className="lb-whatif" role="status" aria-busy={isLoading}>
      <div className="lb-line">
        <h3>{words.whatIf}</h3>
        {isLoading && <span className="lb-hint">{words.loading}</span>}
      </div>
      {data && (
        <>
          <dl className="lb-figures">
            <div>
              <dt>{words.charges}</dt>
              <dd>{data.chargeCount}</dd>
            </div>
            <div>
              <dt>{words.cost}</dt>
              <dd>
                <Price money={data.cost} />
              </dd>
            </div>
            <div>
              <dt>{words.bought}</dt>
              <dd>
                <Credits amount={data.credits} />
              </dd>
            </div>
            <div>
              <dt>{words.lowest}</dt>
              <dd>
                <Credits amount={data.lowestAvailable} />
              </dd>
            </div>
          </dl>
          {data.timesBelowZero > 0 && <p className="lb-reason">{words.belowZero(data.timesBelowZero)}</p>}
          {data.months.length > 0 && (
            <ul className="lb-months">
              {data.months.map(({ month, charges, cost, capReached }) => (
                <li key={month}>
                  <span>{monthOf(month)}</span>
                  <span>
                    {charges} × · <Price money={cost} />
                    {capReached && ` · ${words.capReached}`}
                  </span>
                </li>
              ))}
            </ul>
          )}
          {!data.isExact && <small>{words.notExact}</small>}
        </>
      )}
      <Refused error={error} />
    </div>
  );
}
