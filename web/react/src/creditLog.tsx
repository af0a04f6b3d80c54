import type { LogLine } from "@ledgerbell/client";
import { memo, useCallback, useEffect, useId, useMemo, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { EXPORT } from "./documents/log.js";
import { EntryDetails } from "./entryDetails.js";
import { Credits, Time, amountIn } from "./format.js";
import { useCreditLog } from "./hooks.js";
import { LogFilters } from "./logFilters.js";
import type { CreditLogFilter } from "./model.js";
import { Loading, Refused, Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";
import { filterOf, useUrlChoice } from "./url.js";
import { useWindowed } from "./windowed.js";

/** The properties of {@link CreditLog}. */
export interface CreditLogProps {
  /** Limits which lines are listed. The filters of the component narrow it further. */
  filter?: CreditLogFilter | undefined;
  /** Lines per request, at most 100. */
  pageSize?: number | undefined;
  /** The prefix of parameters in the page's address. Each log on a page needs its own. */
  urlPrefix?: string | undefined;
}

/**
 * The credit log: filters in the page's address, totals, live new lines, the details of each line, and a file for
 * download.
 */
export function CreditLog({ filter, pageSize = 50, urlPrefix = "log-" }: CreditLogProps): ReactNode {
  const { words, locale } = useLedgerbell();
  const [choice, change] = useUrlChoice(urlPrefix);
  const narrowed = useMemo(() => filterOf(choice, filter), [choice, filter]);
  const log = useCreditLog(narrowed, pageSize);
  const { phase, lines, totals, hasMore, isLoadingMore, live, error, loadMore, refresh } = log;
  const [openId, setOpenId] = useState<string | null>(null);
  const id = useId();
  return (
    <section className="lb lb-card lb-log" aria-labelledby={id} aria-busy={phase === "loading"}>
      <header className="lb-head">
        <h2 id={id}>{words.creditLog}</h2>
        <Export filter={narrowed} />
      </header>
      <LogFilters choice={choice} change={change} />
      {totals && (
        <p className="lb-totals" role="status">
          <span>{words.totals(amountIn(locale, totals.count))}</span>
          <span>
            {words.added} <Credits amount={totals.added} />
          </span>
          <span>
            {words.deducted} <Credits amount={totals.deducted} />
          </span>
        </p>
      )}
      <Trouble error={error} live={live} retry={refresh} />
      {phase === "loading" && !error && <Loading />}
      {phase === "missing" && <p className="lb-empty">{words.missing}</p>}
      {phase === "ready" && lines.length === 0 && <p className="lb-empty">{words.noLines}</p>}
      {lines.length > 0 && <Lines log={log} label={id} onOpen={setOpenId} />}
      {hasMore && (
        <button type="button" className="lb-more" disabled={isLoadingMore} onClick={loadMore}>
          {isLoadingMore ? words.loading : words.more}
        </button>
      )}
      <EntryDetails
        id={openId}
        onClose={() => setOpenId(null)}
        onFilter={(part) => {
          setOpenId(null);
          change(part);
        }}
      />
    </section>
  );
}

function Lines({
  log,
  label,
  onOpen,
}: {
  log: ReturnType<typeof useCreditLog>;
  label: string;
  onOpen: (id: string) => void;
}): ReactNode {
  const { words } = useLedgerbell();
  const { lines, totals, hasMore, isLoadingMore, error, loadMore, keep } = log;
  const indexOf = useCallback((id: string) => lines.findIndex((line) => line?.id === id), [lines]);
  const { ref, from, to, before, after, isAtEnd } = useWindowed(lines.length, lines[0]?.id, indexOf);
  useEffect(() => keep(from, to), [keep, from, to]);
  useEffect(() => {
    if (isAtEnd && hasMore && !isLoadingMore && !error) loadMore();
  }, [isAtEnd, hasMore, isLoadingMore, error, loadMore]);
  const shown = lines.slice(from, to);
  return (
    <div ref={ref} className="lb-scroll" role="group" aria-labelledby={label} tabIndex={0}>
      <table aria-labelledby={label} aria-rowcount={totals ? Number(totals.count) + 1 : -1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{words.when}</th>
            <th scope="col">{words.what}</th>
            <th scope="col">{words.who}</th>
            <th scope="col">{words.amount}</th>
            <th scope="col">{words.after}</th>
          </tr>
        </thead>
        <tbody>
          <Room pixels={before} />
          {shown.map((line, at) =>
            line ? (
              <Line key={line.id} line={line} index={from + at + 2} onOpen={onOpen} />
            ) : (
              <tr key={`gone ${from + at}`} data-row="" aria-rowindex={from + at + 2}>
                <td aria-label={words.loading} />
              </tr>
            ),
          )}
          <Room pixels={after} />
        </tbody>
      </table>
    </div>
  );
}

/** The space of rows that are not rendered. */
function Room({ pixels }: { pixels: number }): ReactNode {
  if (pixels <= 0) return null;
  return (
    <tr aria-hidden="true" className="lb-room">
      <td style={{ blockSize: pixels }} />
    </tr>
  );
}

const Line = memo(function Line({
  line,
  index,
  onOpen,
}: {
  line: LogLine;
  index: number;
  onOpen: (id: string) => void;
}): ReactNode {
  const { words } = useLedgerbell();
  const { id, amount, occurredAt, session, description, kind, actor, member, balanceAfter } = line;
  return (
    <tr data-row="" aria-rowindex={index} className={amount.startsWith("-") ? "lb-minus" : "lb-plus"}>
      <td>
        <Time at={occurredAt} />
      </td>
      <td>
        <button type="button" className="lb-link" dir="auto" aria-haspopup="dialog" onClick={() => onOpen(id)}>
          {session?.title ?? description}
        </button>
        <small>
          <span className="lb-narrow">
            <Time at={occurredAt} /> ·{" "}
          </span>
          {words.kinds[kind] ?? kind} · {actor.label}
        </small>
      </td>
      <td>{member?.name}</td>
      <td>
        <Credits amount={amount} isSigned />
      </td>
      <td>
        <Credits amount={balanceAfter} />
      </td>
    </tr>
  );
});

/** Downloads the lines of the filter as a file. */
function Export({ filter }: { filter: CreditLogFilter }): ReactNode {
  const { client, accountId, words } = useLedgerbell();
  const exporting = useAction(async (format: "CSV" | "JSONL") => {
    const { account } = await client.query(EXPORT, { id: accountId, filter, format });
    const url = account?.creditLogExport?.url;
    if (!url) throw new Error(words.missing);
    const link = document.createElement("a");
    link.href = url;
    link.download = "";
    link.click();
  });
  return (
    <div className="lb-export" role="group" aria-label={words.export}>
      {(["CSV", "JSONL"] as const).map((format) => (
        <button
          key={format}
          type="button"
          className="lb-quiet"
          disabled={exporting.isBusy}
          aria-label={words.exportAs(format)}
          onClick={() => void exporting.run(format)}
        >
          {format}
        </button>
      ))}
      <Refused error={exporting.error} />
    </div>
  );
}
