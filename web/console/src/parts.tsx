// Parts that several screens share.
import { useId, type ReactNode } from "react";

import { usePlace } from "./place.js";
import type { Pages, Read } from "./query.js";

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

/** A few figures beside each other, each with its name. */
export function Figures({ figures }: { figures: readonly (readonly [name: string, figure: ReactNode])[] }): ReactNode {
  return (
    <dl className="console-figures">
      {figures.map(([name, figure]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{figure}</dd>
        </div>
      ))}
    </dl>
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

interface TableProps<T> {
  title: string;
  columns: readonly string[];
  list: Pages<T>;
  /** Returns the row of an item. */
  children: (item: T) => ReactNode;
}

/** Items of a list that grows, as a table. It scrolls sideways where it is wider than the page. */
export function Table<T>({ title, columns, list, children }: TableProps<T>): ReactNode {
  const { words } = usePlace();
  return (
    <Reading read={list}>
      {(items) => (
        <>
          {items.length > 0 && (
            <div className="console-scroll" tabIndex={0} role="group" aria-label={title}>
              <table className="console-table">
                <thead>
                  <tr>
                    {columns.map((column) => (
                      <th key={column} scope="col">
                        {column}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>{items.map(children)}</tbody>
              </table>
            </div>
          )}
          {items.length === 0 && !list.hasMore && <p className="lb-empty">{words.nothing}</p>}
          <More list={list} />
        </>
      )}
    </Reading>
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
          {items.length === 0 && !list.hasMore && <p className="lb-empty">{words.nothing}</p>}
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

/** An amount of money. */
export function Money({ amount, currency }: { amount: string; currency: string }): ReactNode {
  const { language } = usePlace();
  const format = new Intl.NumberFormat(language, { style: "currency", currency });
  return <span className="lb-amount">{format.format(amount as unknown as number)}</span>;
}

/** Shows an exact amount in the format of the viewer's language. */
export function Amount({ value, isSigned = false }: { value: string; isSigned?: boolean }): ReactNode {
  const { language } = usePlace();
  const signDisplay = isSigned ? "exceptZero" : "auto";
  // The type allows only numbers, but strings keep all their digits.
  const text = new Intl.NumberFormat(language, { maximumFractionDigits: 4, signDisplay }).format(
    value as unknown as number,
  );
  return <span className="lb-amount">{text}</span>;
}

/** Shows a status as one word. */
export function Tag({ tone = "muted", children }: { tone?: string | undefined; children: ReactNode }): ReactNode {
  return <span className={`lb-tag lb-tone-${tone}`}>{children}</span>;
}
