import type { InboxItem } from "@ledgerbell/client";
import { useId, useState, type ReactNode } from "react";

import { Time } from "./format.js";
import { useAccount, useInbox, type Inbox as InboxHook } from "./hooks.js";
import { Trouble } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** What {@link Inbox} takes. */
export interface InboxProps {
  /** Called when the button of an alert is pressed; without it, the button leads to the page that the operator has set up. */
  onAction?: ((item: InboxItem) => void) | undefined;
}

/** The member's alerts, with what can be done about them. */
export function Inbox({ onAction }: InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const { live, refresh } = useAccount();
  const inbox = useInbox();
  const { items, unreadCount, isLoading, error, markAllRead } = inbox;
  const [onlyUnread, setOnlyUnread] = useState(false);
  const id = useId();
  const shown = onlyUnread ? items.filter((item) => !item.readAt) : items;
  return (
    <section className="lb lb-inbox" aria-labelledby={id} aria-busy={isLoading}>
      <header>
        <h2 id={id}>{words.alerts}</h2>
        <div role="group" aria-label={words.alerts}>
          <button type="button" aria-pressed={!onlyUnread} onClick={() => setOnlyUnread(false)}>
            {words.all}
          </button>
          <button type="button" aria-pressed={onlyUnread} onClick={() => setOnlyUnread(true)}>
            {words.onlyUnread} ({unreadCount})
          </button>
        </div>
        <button type="button" disabled={unreadCount === 0} onClick={markAllRead}>
          {words.markAllRead}
        </button>
      </header>
      <Trouble error={error} live={live} retry={refresh} />
      {isLoading && !error && <p role="status">{words.loading}</p>}
      {!isLoading && shown.length === 0 && (
        <p className="lb-empty">{onlyUnread && items.length > 0 ? words.noUnread : words.noAlerts}</p>
      )}
      <ul>
        {shown.map((item) => (
          <Alert key={item.id} item={item} inbox={inbox} onAction={onAction} />
        ))}
      </ul>
    </section>
  );
}

/** One alert. Its marks are the inbox's, which is still there to say why one was refused. */
function Alert({ item, inbox, onAction }: { item: InboxItem; inbox: InboxHook } & InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const { markRead, archive } = inbox;
  const id = useId();
  const { alert, readAt } = item;
  const mark = readAt ? words.markUnread : words.markRead;
  return (
    <li className={`lb-alert lb-${alert.severity.toLowerCase()}${readAt ? "" : " lb-unread"}`} aria-labelledby={id}>
      <h3 id={id}>
        {alert.title}
        {!readAt && <span className="lb-hidden"> ({words.unread(1)})</span>}
      </h3>
      <p>{alert.body}</p>
      <footer>
        <Time at={alert.raisedAt} />
        {alert.action && onAction && (
          <button type="button" onClick={() => onAction(item)}>
            {alert.action.label}
          </button>
        )}
        {alert.action?.url && !onAction && <a href={alert.action.url}>{alert.action.label}</a>}
        <button type="button" aria-describedby={id} onClick={() => markRead([alert.id], !readAt)}>
          {mark}
        </button>
        <button type="button" aria-describedby={id} onClick={() => archive([alert.id])}>
          {words.archive}
        </button>
      </footer>
    </li>
  );
}
