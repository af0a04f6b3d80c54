import { useMemo, useState, type ReactNode } from "react";

import { Credits, amountIn } from "./format.js";
import { useUsage } from "./hooks.js";
import type { UsageGroup, Used } from "./model.js";
import { Section } from "./parts.js";
import { useLedgerbell } from "./provider.js";

const DAY = 86_400_000;
const RANGES = [7, 30, 90] as const;
/** The number of bars in a list, before one bar for the rest. */
const BARS = 8;

/** Usage by day, by member and by kind. */
export function Usage(): ReactNode {
  const { words } = useLedgerbell();
  const [days, setDays] = useState<number>(30);
  const since = useMemo(() => new Date(Date.now() - (days - 1) * DAY).toISOString().slice(0, 10), [days]);
  const byDay = useUsage("DAY", since);
  const byMember = useUsage("MEMBER", since);
  const byKind = useUsage("KIND", since);
  const choice = (
    <div className="lb-segments" role="group" aria-label={words.range}>
      {RANGES.map((range) => (
        <button key={range} type="button" aria-pressed={days === range} onClick={() => setDays(range)}>
          {words.days(range)}
        </button>
      ))}
    </div>
  );
  return (
    <Section name="usage" title={words.usage} state={byDay} aside={choice}>
      {byDay.data && <Columns used={byDay.data} since={since} />}
      <div className="lb-halves">
        {byMember.data && <Bars title={words.byMember} used={byMember.data} name={(group) => group.member?.name} />}
        {byKind.data && (
          <Bars
            title={words.byKind}
            used={byKind.data}
            name={(group) => group.kind && (words.kinds[group.kind] ?? group.kind)}
          />
        )}
      </div>
    </Section>
  );
}

interface Column {
  date: string;
  deducted: string;
}

/** Returns each day from `since` to today, including days without usage. */
function columnsOf({ timezone, groups }: Used, since: string): Column[] {
  const used = new Map(groups.map((group) => [group.date, group.totals.deducted]));
  // The Canadian format of a day is that of ISO 8601.
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: timezone, dateStyle: "short" }).format(Date.now());
  const columns: Column[] = [];
  for (let at = Date.parse(since); ; at += DAY) {
    const date = new Date(at).toISOString().slice(0, 10);
    if (date > today) return columns;
    columns.push({ date, deducted: used.get(date) ?? "0" });
  }
}

function Columns({ used, since }: { used: Used; since: string }): ReactNode {
  const { words, locale } = useLedgerbell();
  const columns = useMemo(() => columnsOf(used, since), [used, since]);
  const most = Math.max(...columns.map(({ deducted }) => Number(deducted)));
  const sum = columns.reduce((sum, { deducted }) => sum + Number(deducted), 0);
  const dayOf = (date: string, more: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" }) =>
    new Intl.DateTimeFormat(locale, { ...more, timeZone: "UTC" }).format(new Date(date));
  if (most === 0) return <p className="lb-empty">{words.noUse}</p>;
  const ends = [columns[0], columns[columns.length >> 1], columns.at(-1)];
  return (
    <figure className="lb-chart">
      <figcaption>
        <strong>
          <Credits amount={sum.toFixed(4)} />
        </strong>{" "}
        {words.creditsUsed} · <Credits amount={(sum / columns.length).toFixed(1)} /> {words.perDay}
      </figcaption>
      <div className="lb-plot" aria-hidden="true">
        <span className="lb-scale">{amountIn(locale, String(most))}</span>
        <div className="lb-columns">
          {columns.map(({ date, deducted }) => (
            <span key={date} title={`${dayOf(date)}: ${amountIn(locale, deducted)}`}>
              <i style={{ blockSize: `${(100 * Number(deducted)) / most}%` }} />
            </span>
          ))}
        </div>
        <div className="lb-axis">
          {ends.map((column) => column && <span key={column.date}>{dayOf(column.date)}</span>)}
        </div>
      </div>
      <details>
        <summary>{words.asTable}</summary>
        <table className="lb-table">
          <thead>
            <tr>
              <th scope="col">{words.day}</th>
              <th scope="col">{words.deducted}</th>
            </tr>
          </thead>
          <tbody>
            {columns
              .filter(({ deducted }) => Number(deducted) !== 0)
              .map(({ date, deducted }) => (
                <tr key={date}>
                  <th scope="row">{dayOf(date, { dateStyle: "medium" })}</th>
                  <td>
                    <Credits amount={deducted} />
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

interface BarsProps {
  title: string;
  used: Used;
  name: (group: UsageGroup) => string | null | undefined;
}

function Bars({ title, used, name }: BarsProps): ReactNode {
  const { words } = useLedgerbell();
  const all = used.groups
    .map((group) => ({ key: group.key, name: name(group) ?? words.nobody, deducted: Number(group.totals.deducted) }))
    .filter(({ deducted }) => deducted > 0)
    .sort((a, b) => b.deducted - a.deducted);
  const bars = all.slice(0, BARS);
  const rest = all.slice(BARS).reduce((sum, { deducted }) => sum + deducted, 0);
  if (rest) bars.push({ key: "rest", name: words.others(all.length - BARS), deducted: rest });
  const most = Math.max(...bars.map(({ deducted }) => deducted));
  return (
    <div className="lb-barlist">
      <h3>{title}</h3>
      {bars.length === 0 && <p className="lb-empty">{words.noUse}</p>}
      <ul>
        {bars.map(({ key, name, deducted }) => (
          <li key={key}>
            <span className="lb-line">
              <span>{name}</span>
              <Credits amount={deducted.toFixed(4)} />
            </span>
            <span className="lb-bar" aria-hidden="true">
              <i style={{ inlineSize: `${(100 * deducted) / most}%` }} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
