// Parts that several components share.
import { useId, type ReactNode } from "react";

import { useLedgerbell } from "./provider.js";

/** Shows why data is missing or out of date, and a way to retry. */
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

/** Shows why the action of a button failed. */
export function Refused({ error }: { error: Error | null }): ReactNode {
  if (!error) return null;
  return (
    <p className="lb-refused" role="alert">
      {error.message}
    </p>
  );
}

/** Confirms the action of a button. */
export function Done({ when, children }: { when: boolean; children: ReactNode }): ReactNode {
  return (
    <p className="lb-done" role="status">
      {when && children}
    </p>
  );
}

/** Placeholders while data is loading. */
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

/** A component with its title and its status. Renders nothing if the viewer may not see it. */
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

/** Shows a status as one word. */
export function Badge({ tone, children }: { tone: string; children: ReactNode }): ReactNode {
  return <span className={`lb-tag lb-tone-${tone}`}>{children}</span>;
}

/** A form field with its label and a hint. */
export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }): ReactNode {
  return (
    <label className="lb-field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}
