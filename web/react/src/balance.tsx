import { useId, type ReactNode } from "react";

import { Credits } from "./format.js";
import { useAccount } from "./hooks.js";
import { Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** What the account has: what is available large, and what it is made up of. */
export function Balance(): ReactNode {
  const { words } = useLedgerbell();
  const { phase, balance, live, error, refresh } = useAccount();
  const id = useId();
  return (
    <section className="lb lb-balance" aria-labelledby={id} aria-busy={phase === "loading"}>
      <h2 id={id}>{words.balance}</h2>
      {phase === "missing" && <p>{words.missing}</p>}
      {phase === "loading" && !error && <p role="status">{words.loading}</p>}
      {balance && (
        <dl>
          {(["available", "posted", "held", "incoming"] as const).map((name) => (
            <div key={name} className={`lb-${name}`}>
              <dt>{words[name]}</dt>
              <dd>
                <Credits amount={balance[name]} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      <Trouble error={error} live={live} retry={refresh} />
    </section>
  );
}
