import { useEffect, useId, useMemo, useState, type ReactNode } from "react";

import { Credits, Time } from "./format.js";
import { useCreditLog } from "./hooks.js";
import type { CreditLogFilter } from "./log.js";
import { Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** What {@link CreditLog} takes. */
export interface CreditLogProps {
  /** Which lines are listed at all. The search and the choices of the component narrow it. */
  filter?: CreditLogFilter | undefined;
  /** Lines a page, at most 100. */
  pageSize?: number | undefined;
}

/** How long typing has to pause before it is searched for, in milliseconds. */
const PAUSE = 250;

type Choice = "" | "ADDED" | "DEDUCTED";

/** The credit log with search, totals and new lines as they are posted. */
export function CreditLog({ filter, pageSize = 50 }: CreditLogProps): ReactNode {
  const { words } = useLedgerbell();
  const [search, setSearch] = useState("");
  const [direction, setDirection] = useState<Choice>("");
  const [kind, setKind] = useState("");
  const wanted = useSettled(search.trim());
  const narrowed = useMemo(
    () =>
      ({
        ...filter,
        ...(wanted && { search: wanted }),
        ...(direction && { direction }),
        ...(kind && { kinds: [kind] }),
      }) as CreditLogFilter,
    [filter, wanted, direction, kind],
  );
  const { phase, lines, totals, hasMore, isLoadingMore, live, error, loadMore, refresh } = useCreditLog(
    narrowed,
    pageSize,
  );
  const id = useId();
  return (
    <section className="lb lb-log" aria-labelledby={id} aria-busy={phase === "loading"}>
      <h2 id={id}>{words.creditLog}</h2>
      <form role="search" aria-label={words.creditLog} onSubmit={(event) => event.preventDefault()}>
        <label>
          {words.search}
          <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </label>
        <label>
          {words.kind}
          <select value={kind} onChange={(event) => setKind(event.target.value)}>
            <option value="">{words.all}</option>
            {Object.entries(words.kinds).map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          {words.direction}
          <select value={direction} onChange={(event) => setDirection(event.target.value as Choice)}>
            <option value="">{words.all}</option>
            <option value="ADDED">{words.added}</option>
            <option value="DEDUCTED">{words.deducted}</option>
          </select>
        </label>
      </form>
      {totals && (
        <p className="lb-totals" role="status">
          {words.totals(totals.count)} · {words.added} <Credits amount={totals.added} /> · {words.deducted}{" "}
          <Credits amount={totals.deducted} />
        </p>
      )}
      <Trouble error={error} live={live} retry={refresh} />
      {phase === "loading" && !error && <p role="status">{words.loading}</p>}
      {phase === "missing" && <p>{words.missing}</p>}
      {phase === "ready" && lines.length === 0 && <p className="lb-empty">{words.noLines}</p>}
      {lines.length > 0 && (
        <table aria-labelledby={id}>
          <thead>
            <tr>
              <th scope="col">{words.when}</th>
              <th scope="col">{words.what}</th>
              <th scope="col">{words.who}</th>
              <th scope="col">{words.amount}</th>
              <th scope="col">{words.after}</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => (
              <tr key={line.id} className={line.amount.startsWith("-") ? "lb-minus" : "lb-plus"}>
                <td>
                  <Time at={line.occurredAt} />
                </td>
                <td>
                  {line.session?.title ?? line.description}
                  <small>
                    {words.kinds[line.kind] ?? line.kind} · {line.actor.label}
                  </small>
                </td>
                <td>{line.member?.name}</td>
                <td>
                  <Credits amount={line.amount} isSigned />
                </td>
                <td>
                  <Credits amount={line.balanceAfter} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {hasMore && (
        <button type="button" disabled={isLoadingMore} onClick={loadMore}>
          {isLoadingMore ? words.loading : words.more}
        </button>
      )}
    </section>
  );
}

/** A text once it has stayed the same for a while. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
