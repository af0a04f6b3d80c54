import * as Dialog from "@radix-ui/react-dialog";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { ENTRY } from "./documents/log.js";
import { Credits, Time } from "./format.js";
import type { EntryDetails as Details } from "./model.js";
import { Loading, Refused } from "./parts.js";
import { useLedgerbell } from "./provider.js";
import type { LogChoice } from "./url.js";

interface Props {
  /** The id of the line; null shows none. */
  id: string | null;
  onClose: () => void;
  onFilter: (choice: Partial<LogChoice>) => void;
}

/** One line of the log with its session, the lots that it used, the entry that it reverses, and its hash. */
export function EntryDetails({ id, onClose, onFilter }: Props): ReactNode {
  const { words } = useLedgerbell();
  const { entry, error } = useEntry(id);
  const opener = useRef<HTMLElement | null>(null);
  return (
    <Dialog.Root open={id !== null} onOpenChange={(isOpen) => !isOpen && onClose()}>
      {id !== null && (
        <div className="lb-layer">
          <Dialog.Overlay className="lb-overlay" />
          <Dialog.Content
            className="lb lb-sheet"
            aria-describedby={undefined}
            onOpenAutoFocus={() => {
              opener.current = document.activeElement as HTMLElement | null;
            }}
            onCloseAutoFocus={(event) => {
              // Any line may have opened the dialog, so there is no trigger that could get the focus automatically.
              event.preventDefault();
              opener.current?.focus();
            }}
          >
            <header className="lb-head">
              <Dialog.Title>{entry ? (entry.session?.title ?? entry.description) : words.entry}</Dialog.Title>
              <Dialog.Close className="lb-quiet" aria-label={words.close}>
                ×
              </Dialog.Close>
            </header>
            {!entry && !error && <Loading />}
            {entry && <EntryView entry={entry} onFilter={onFilter} />}
            <Refused error={error} />
          </Dialog.Content>
        </div>
      )}
    </Dialog.Root>
  );
}

function useEntry(id: string | null): { entry: Details | null; error: Error | null } {
  const { client } = useLedgerbell();
  const [state, setState] = useState<{ id: string | null; entry: Details | null; error: Error | null }>({
    id: null,
    entry: null,
    error: null,
  });
  useEffect(() => {
    if (id === null) return;
    let isHere = true;
    client.query(ENTRY, { id }).then(
      ({ node }) => isHere && setState({ id, entry: node && "hash" in node ? node : null, error: null }),
      (error: unknown) => isHere && setState({ id, entry: null, error: error as Error }),
    );
    return () => {
      isHere = false;
    };
  }, [client, id]);
  return state.id === id ? state : { entry: null, error: null };
}

function Row({ label, children }: { label: string; children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function EntryView({ entry, onFilter }: { entry: Details; onFilter: Props["onFilter"] }): ReactNode {
  const { words } = useLedgerbell();
  const { kind, amount, balanceBefore, balanceAfter, occurredAt, actor, member, description, topUp, hash } = entry;
  const { session, reverses, reversedBy, lotDraws } = entry;
  return (
    <>
      <p className={`lb-big ${amount.startsWith("-") ? "lb-minus" : "lb-plus"}`}>
        <Credits amount={amount} isSigned />
      </p>
      <dl className="lb-rows">
        <Row label={words.kind}>{words.kinds[kind] ?? kind}</Row>
        <Row label={words.what}>{description}</Row>
        <Row label={words.when}>
          <Time at={occurredAt} isWhole />
        </Row>
        <Row label={words.actor}>{actor.label}</Row>
        {member && (
          <Row label={words.who}>
            <button type="button" className="lb-link" onClick={() => onFilter({ member: [member.id] })}>
              {member.name}
            </button>
          </Row>
        )}
        <Row label={words.before}>
          <Credits amount={balanceBefore} />
        </Row>
        <Row label={words.after}>
          <Credits amount={balanceAfter} />
        </Row>
        {reverses && <Row label={words.reverses}>{reverses.description}</Row>}
        {reversedBy.length > 0 && (
          <Row label={words.reversedBy}>{reversedBy.map((other) => other.description).join(", ")}</Row>
        )}
      </dl>
      {session && <SessionRows session={session} onFilter={onFilter} />}
      {topUp && (
        <button type="button" className="lb-link" onClick={() => onFilter({ topup: topUp.id })}>
          {words.allOfTopUp}
        </button>
      )}
      {lotDraws.length > 0 && <Lots draws={lotDraws} />}
      <p className="lb-hash">
        <small>{words.hash}</small>
        <code dir="ltr">{hash}</code>
      </p>
    </>
  );
}

function SessionRows({
  session,
  onFilter,
}: {
  session: NonNullable<Details["session"]>;
  onFilter: Props["onFilter"];
}): ReactNode {
  const { words } = useLedgerbell();
  const { id, title, status, startsAt, endsAt, booked, charged, refunded } = session;
  return (
    <>
      <h3>{words.session}</h3>
      <dl className="lb-rows">
        <Row label={title}>{words.sessionStatus[status] ?? status}</Row>
        <Row label={words.from}>
          <Time at={startsAt} isWhole />
        </Row>
        <Row label={words.until}>
          <Time at={endsAt} isWhole />
        </Row>
        <Row label={words.booked}>
          <Credits amount={booked} />
        </Row>
        {charged !== null && (
          <Row label={words.charged}>
            <Credits amount={charged} />
          </Row>
        )}
        {Number(refunded) !== 0 && (
          <Row label={words.refunded}>
            <Credits amount={refunded} />
          </Row>
        )}
      </dl>
      <button type="button" className="lb-link" onClick={() => onFilter({ session: id })}>
        {words.allOfSession}
      </button>
    </>
  );
}

function Lots({ draws }: { draws: Details["lotDraws"] }): ReactNode {
  const { words } = useLedgerbell();
  return (
    <>
      <h3>{words.lots}</h3>
      <ul className="lb-attempts">
        {draws.map(({ amount, lot }) => (
          <li key={lot.id}>
            <span className="lb-line">
              <span>{words.lotKind[lot.kind] ?? lot.kind}</span>
              <Credits amount={amount} isSigned />
            </span>
            <small>
              {words.remaining} <Credits amount={lot.remaining} /> / <Credits amount={lot.granted} />
              {lot.expiresAt && (
                <>
                  {" · "}
                  {words.expiry} <Time at={lot.expiresAt} isWhole />
                </>
              )}
            </small>
          </li>
        ))}
      </ul>
    </>
  );
}
