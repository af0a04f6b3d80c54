import { useMemo, type ReactNode } from "react";

import { useNow } from "./hooks.js";
import type { Money } from "./model.js";
import { useLedgerbell } from "./provider.js";

/** Formats an exact amount for the language, without losing digits. */
export function amountIn(locale: string, amount: string, isSigned = false): string {
  const format = new Intl.NumberFormat(locale, {
    maximumFractionDigits: 4,
    signDisplay: isSigned ? "exceptZero" : "auto",
  });
  // Newer engines format decimal strings exactly. Older ones convert them to numbers, which hold every realistic
  // balance.
  return format.format(amount as unknown as number);
}

/** An amount of credits. */
export function Credits({ amount, isSigned = false }: { amount: string; isSigned?: boolean }): ReactNode {
  const { locale } = useLedgerbell();
  return <span className="lb-amount">{amountIn(locale, amount, isSigned)}</span>;
}

/** Formats an amount of money. */
export function priceIn(locale: string, { amount, currency }: Money): string {
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount as unknown as number);
}

/** Shows an amount of money. */
export function Price({ money }: { money: Money }): ReactNode {
  const { locale } = useLedgerbell();
  return <span className="lb-amount">{priceIn(locale, money)}</span>;
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** Shows an instant: how long ago it was, or the day. Its title contains the full time. A server renders it in UTC. */
export function Time({ at, isWhole = false }: { at: string; isWhole?: boolean }): ReactNode {
  const { locale } = useLedgerbell();
  const now = useNow();
  const { short, long } = useMemo(() => {
    const instant = new Date(at);
    const timeZone = now === null ? { timeZone: "UTC" } : {};
    const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", ...timeZone }).format(
      instant,
    );
    if (now === null) return { short: full, long: full };
    const passed = instant.getTime() - now;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(passed) >= size) ?? ["minute", 60_000];
    const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(Math.trunc(passed / size), unit);
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(instant);
    return { short: Math.abs(passed) < 7 * 86_400_000 ? relative : day, long: full };
  }, [at, locale, now]);
  return (
    <time dateTime={at} title={long}>
      {isWhole ? long : short}
    </time>
  );
}
