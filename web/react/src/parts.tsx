// What several components show in the same way.
import { useId, type ReactNode } from "react";

import { useLedgerbell } from "./provider.js";

/** Why something is not shown or not up to date, and what can be done. */
export function Trouble({ error, live, retry }: { error: Error | null; live: string; retry: () => void }): ReactNode {
  const { words } = useLedgerbell();
  if (error)
    return (
      <div className="lb-trouble" role="alert">
        <p>
          {words.failed} {error.message}
        </p>
        <button type="button" onClick={retry}>
          {words.again}
        </button>
      </div>
    );
  if (live !== "offline") return null;
  return (
    <p className="lb-trouble" role="status">
      {words.offline}
    </p>
  );
}

/** Why a button did not do what it says. */
export function Refused({ error }: { error: Error | null }): ReactNode {
  if (!error) return null;
  return (
    <p className="lb-refused" role="alert">
      {error.message}
    </p>
  );
}

/** What was done by a button. */
export function Done({ when, children }: { when: boolean; children: ReactNode }): ReactNode {
  return (
    <p className="lb-done" role="status">
      {when && children}
    </p>
  );
}

/** Lines that are on their way. */
export function Loading(): ReactNode {
  const { words } = useLedgerbell();
  return (
    <div className="lb-loading" role="status">
      <span className="lb-hidden">{words.loading}</span>
      <span aria-hidden="true" />
      <span aria-hidden="true" />
      <span aria-hidden="true" />
    </div>
  );
}

interface Followed {
  phase: "loading" | "ready" | "missing" | "hidden";
  live: string;
  error: Error | null;
  refresh: () => void;
}

/** A component with its title, and how it stands. Nothing where the viewer may not see it. */
export function Section({
  name,
  title,
  state,
  aside,
  children,
}: {
  name: string;
  title: string;
  state: Followed;
  aside?: ReactNode;
  children: ReactNode;
}): ReactNode {
  const { words } = useLedgerbell();
  const id = useId();
  const { phase, live, error, refresh } = state;
  if (phase === "hidden") return null;
  return (
    <section className={`lb lb-card lb-${name}`} aria-labelledby={id} aria-busy={phase === "loading"}>
      <header className="lb-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      <Trouble error={error} live={live} retry={refresh} />
      {phase === "loading" && !error && <Loading />}
      {phase === "missing" && <p className="lb-empty">{words.missing}</p>}
      {phase === "ready" && children}
    </section>
  );
}

/** How something stands, in a word. */
export function Badge({ tone, children }: { tone: string; children: ReactNode }): ReactNode {
  return <span className={`lb-tag lb-tone-${tone}`}>{children}</span>;
}

/** A field with its label, and what is to be known of it. */
export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }): ReactNode {
  return (
    <label className="lb-field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}
