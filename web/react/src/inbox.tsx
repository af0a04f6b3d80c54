import type { InboxItem } from "@ledgerbell/client";
import { useId, useState, type ReactNode } from "react";

import { Deliveries } from "./deliveries.js";
import { Time } from "./format.js";
import { useAccount, useInbox } from "./hooks.js";
import { useOlderAlerts, type AlertView } from "./olderAlerts.js";
import { Loading, Refused, Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** The properties of {@link Inbox}. */
export interface InboxProps {
  /**
   * Called when the button of an alert is pressed. Without it, the button leads to the page that the operator has set.
   */
  onAction?: ((item: InboxItem) => void) | undefined;
}

const VIEWS: readonly AlertView[] = ["all", "unread", "archived"];

/** The number of alerts that the account's store holds; older ones may exist. */
const KEPT = 100;

/** The member's alerts: read, unread and archived, with their next steps and their recipients. */
export function Inbox({ onAction }: InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const { phase, live, refresh } = useAccount();
  const inbox = useInbox();
  const { items, unreadCount, isLoading, error, markAllRead } = inbox;
  const [view, setView] = useState<AlertView>("all");
  const [kind, setKind] = useState("");
  const [severity, setSeverity] = useState("");
  const older = useOlderAlerts(view, kind, severity);
  const id = useId();
  const mark: Mark = (item, what) => {
    const { alert } = item;
    const now = new Date().toISOString();
    const change = {
      read: { readAt: now },
      unread: { readAt: null },
      away: { archivedAt: now },
      back: { archivedAt: null },
    };
    older.put([alert.id], change[what]);
    const marked =
      what === "read" || what === "unread"
        ? inbox.markRead([alert.id], what === "read")
        : inbox.archive([alert.id], what === "away");
    void marked.then((isDone) => !isDone && older.put([alert.id], item));
  };
  const kept = view === "archived" ? [] : view === "unread" ? items.filter((item) => !item.readAt) : items;
  const shown = [...kept, ...older.items].filter(
    ({ alert }) => (!kind || alert.kind === kind) && (!severity || alert.severity === severity),
  );
  const mayHaveMore = older.hasMore && (view === "archived" || items.length >= KEPT);
  const empty = {
    all: words.noAlerts,
    unread: items.length > 0 ? words.noUnread : words.noAlerts,
    archived: words.noArchived,
  };
  return (
    <section className="lb lb-card lb-inbox" aria-labelledby={id} aria-busy={isLoading}>
      <header className="lb-head">
        <h2 id={id}>{words.alerts}</h2>
        <button type="button" className="lb-quiet" disabled={unreadCount === 0} onClick={() => void markAllRead()}>
          {words.markAllRead}
        </button>
      </header>
      <div className="lb-searchline">
        <div className="lb-segments" role="group" aria-label={words.alerts}>
          {VIEWS.map((name) => (
            <button key={name} type="button" aria-pressed={view === name} onClick={() => setView(name)}>
              {words.view[name]}
              {name === "unread" && unreadCount > 0 && <span className="lb-count">{unreadCount}</span>}
            </button>
          ))}
        </div>
        <Choice label={words.kind} all={words.anyKind} names={words.alertKinds} value={kind} onChange={setKind} />
        <Choice
          label={words.importance}
          all={words.anyImportance}
          names={words.severity}
          value={severity}
          onChange={setSeverity}
        />
      </div>
      <Trouble error={error} live={live} retry={refresh} />
      {phase === "missing" && <p className="lb-empty">{words.missing}</p>}
      {((isLoading && !error) || (older.isLoading && shown.length === 0)) && <Loading />}
      {phase === "ready" && !older.isLoading && shown.length === 0 && <p className="lb-empty">{empty[view]}</p>}
      <ul className="lb-list">
        {shown.map((item) => (
          <Alert key={item.id} item={item} mark={mark} onAction={onAction} />
        ))}
      </ul>
      {mayHaveMore && !isLoading && (
        <button type="button" className="lb-more" disabled={older.isLoading} onClick={older.loadMore}>
          {older.isLoading ? words.loading : words.olderAlerts}
        </button>
      )}
      <Refused error={older.error} />
    </section>
  );
}

interface ChoiceProps {
  label: string;
  all: string;
  names: Record<string, string>;
  value: string;
  onChange: (value: string) => void;
}

function Choice({ label, all, names, value, onChange }: ChoiceProps): ReactNode {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{all}</option>
      {Object.entries(names).map(([name, label]) => (
        <option key={name} value={name}>
          {label}
        </option>
      ))}
    </select>
  );
}

type Mark = (item: InboxItem, what: "read" | "unread" | "away" | "back") => void;

/** One alert. The inbox holds the state of its marks, so that it can show why a mark was refused. */
function Alert({ item, mark, onAction }: { item: InboxItem; mark: Mark } & InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const id = useId();
  const { alert, readAt, archivedAt } = item;
  const { severity, title, body, raisedAt, resolvedAt, action } = alert;
  const isUnread = !readAt && !archivedAt;
  return (
    <li className={`lb-alert lb-${severity.toLowerCase()}${isUnread ? " lb-unread" : ""}`} aria-labelledby={id}>
      <div className="lb-line">
        <h3 id={id}>
          {title}
          {isUnread && <span className="lb-hidden"> ({words.unread(1)})</span>}
        </h3>
        <Time at={raisedAt} />
      </div>
      <p>{body}</p>
      {resolvedAt && (
        <p className="lb-hint">
          {words.resolved} <Time at={resolvedAt} />
        </p>
      )}
      <footer className="lb-actions">
        {action && onAction && (
          <button type="button" onClick={() => onAction(item)}>
            {action.label}
          </button>
        )}
        {action?.url && !onAction && (
          <a className="lb-button" href={action.url}>
            {action.label}
          </a>
        )}
        {!archivedAt && (
          <button
            type="button"
            className="lb-quiet"
            aria-describedby={id}
            onClick={() => mark(item, readAt ? "unread" : "read")}
          >
            {readAt ? words.markUnread : words.markRead}
          </button>
        )}
        <button
          type="button"
          className="lb-quiet"
          aria-describedby={id}
          onClick={() => mark(item, archivedAt ? "back" : "away")}
        >
          {archivedAt ? words.unarchive : words.archive}
        </button>
      </footer>
      <Deliveries alertId={alert.id} />
    </li>
  );
}
