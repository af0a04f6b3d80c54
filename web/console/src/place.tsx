// The context of screens, and parts that several of them share.
import type { Ledgerbell } from "@ledgerbell/client";
import { createContext, useContext, useId, type ReactNode } from "react";

import type { Pages, Read } from "./query.js";
import type { Words } from "./words.js";

/** The viewer, and the account that is shown. */
export interface Place {
  client: Ledgerbell;
  /** The account that is shown; null for the viewer's own. */
  accountId: string | null;
  permissions: ReadonlySet<string>;
  isPlatform: boolean;
  language: string;
  words: Words;
}

const Context = createContext<Place | null>(null);

export const PlaceProvider = Context.Provider;

/** Returns the viewer and the account that is shown. */
export function usePlace(): Place {
  const place = useContext(Context);
  if (!place) throw new Error("A screen is shown outside of the console");
  return place;
}

/** A part of a screen with its title. */
export function Card({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <section className="lb lb-card" aria-labelledby={id}>
      <header className="lb-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** Shows that data is loading, or why it could not be read. */
export function Reading<T>({ read, children }: { read: Read<T>; children: (data: T) => ReactNode }): ReactNode {
  const { words } = usePlace();
  const { data, error, isLoading, refresh } = read;
  return (
    <>
      {error && (
        <div className="lb-trouble" role="alert">
          <p>
            {words.failed} {error.message}
          </p>
          <button type="button" onClick={refresh}>
            {words.again}
          </button>
        </div>
      )}
      {data === null ? isLoading && <p role="status">{words.loading}</p> : children(data)}
    </>
  );
}

/** Items of a list that grows, below each other. */
export function Listing<T>({ list, children }: { list: Pages<T>; children: (item: T) => ReactNode }): ReactNode {
  const { words } = usePlace();
  return (
    <Reading read={list}>
      {(items) => (
        <>
          {items.length > 0 && <ul className="console-list">{items.map(children)}</ul>}
          {items.length === 0 && !list.hasMore && <p>{words.nothing}</p>}
          <More list={list} />
        </>
      )}
    </Reading>
  );
}

/** A button for the next page of a list, if there is one. */
export function More<T>({ list }: { list: Pages<T> }): ReactNode {
  const { words } = usePlace();
  const { hasMore, isLoading, loadMore } = list;
  return hasMore ? (
    <button type="button" className="lb-more" disabled={isLoading} onClick={loadMore}>
      {isLoading ? words.loading : words.more}
    </button>
  ) : null;
}

/** Shows why the action of a button failed. */
export function Refusal({ error }: { error: Error | null }): ReactNode {
  return error ? (
    <p className="lb-refused" role="alert">
      {error.message}
    </p>
  ) : null;
}

/** Shows an instant in the viewer's language and time zone. */
export function Instant({ at }: { at: string }): ReactNode {
  const { language } = usePlace();
  const text = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
  return <time dateTime={at}>{text}</time>;
}

/** A price of one credit: it may have parts of a cent. */
export function UnitPrice({ amount, currency }: { amount: string; currency: string }): ReactNode {
  const { language } = usePlace();
  const format = new Intl.NumberFormat(language, { style: "currency", currency, maximumFractionDigits: 8 });
  return <span className="lb-amount">{format.format(amount as unknown as number)}</span>;
}

/** Shows an exact amount in the format of the viewer's language. */
export function Amount({ value }: { value: string }): ReactNode {
  const { language } = usePlace();
  // The type allows only numbers, but strings keep all their digits.
  const text = new Intl.NumberFormat(language, { maximumFractionDigits: 4 }).format(value as unknown as number);
  return <span className="lb-amount">{text}</span>;
}

/** Shows a status as one word. */
export function Tag({ tone = "muted", children }: { tone?: string | undefined; children: ReactNode }): ReactNode {
  return <span className={`lb-tag lb-tone-${tone}`}>{children}</span>;
}
