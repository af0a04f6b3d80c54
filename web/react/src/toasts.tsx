import type { InboxItem } from "@ledgerbell/client";
import * as Toast from "@radix-ui/react-toast";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { useAccount } from "./hooks.js";
import { useLedgerbell } from "./provider.js";

/** The properties of {@link Toasts}. */
export interface ToastsProps {
  /**
   * Called when the button of an alert is pressed. Without it, the button leads to the page that the operator has set.
   */
  onAction?: ((item: InboxItem) => void) | undefined;
  /** How long a toast is shown, in milliseconds; 8,000 if left out. Critical ones stay until they are closed. */
  duration?: number | undefined;
  /** The maximum number of visible toasts; 3 if left out. Others wait. */
  atOnce?: number | undefined;
}

/** Shows each alert that arrives while the page is open. An alert that is read elsewhere disappears. */
export function Toasts({ onAction, duration = 8_000, atOnce = 3 }: ToastsProps): ReactNode {
  const { words } = useLedgerbell();
  const { ids, close } = useArrivals();
  const { inbox } = useAccount();
  const byId = new Map(inbox.map((item) => [item.id, item]));
  const waiting = ids.map((id) => byId.get(id)).filter((item) => item?.readAt === null);
  return (
    <Toast.Provider label={words.alert} duration={duration} swipeDirection="right">
      {waiting.slice(0, atOnce).map(
        (item) =>
          item && (
            <Toast.Root
              key={item.id}
              className={`lb lb-toast lb-${item.alert.severity.toLowerCase()}`}
              type={item.alert.severity === "INFO" ? "background" : "foreground"}
              duration={item.alert.severity === "CRITICAL" ? Infinity : duration}
              onOpenChange={(isOpen) => !isOpen && close(item.id)}
            >
              <Toast.Title className="lb-toast-title">{item.alert.title}</Toast.Title>
              <Toast.Description className="lb-toast-body">{item.alert.body}</Toast.Description>
              <div className="lb-actions">
                {item.alert.action && <ToastAction item={item} onAction={onAction} />}
                <Toast.Close className="lb-quiet" aria-label={words.closeAlert(item.alert.title)}>
                  {words.close}
                </Toast.Close>
              </div>
            </Toast.Root>
          ),
      )}
      <Toast.Viewport className="lb lb-toasts" label={words.toasts} />
    </Toast.Provider>
  );
}

function ToastAction({ item, onAction }: { item: InboxItem; onAction: ToastsProps["onAction"] }): ReactNode {
  const { action } = item.alert;
  if (!action) return null;
  if (onAction)
    return (
      <Toast.Action asChild altText={action.label}>
        <button type="button" className="lb-primary" onClick={() => onAction(item)}>
          {action.label}
        </button>
      </Toast.Action>
    );
  if (!action.url) return null;
  return (
    <Toast.Action asChild altText={action.label}>
      <a className="lb-button lb-primary" href={action.url}>
        {action.label}
      </a>
    </Toast.Action>
  );
}

/** Returns alerts that arrived since the inbox was first shown, oldest first. */
function useArrivals(): { ids: readonly string[]; close: (id: string) => void } {
  const { store } = useLedgerbell();
  const { inbox, phase } = useAccount();
  const [ids, setIds] = useState<readonly string[]>([]);
  const known = useRef<{ store: unknown; ids: Set<string>; newest: string } | null>(null);
  useEffect(() => {
    if (phase !== "ready") return;
    if (known.current?.store !== store) {
      // Alerts that existed before are not shown.
      const newest = inbox[0]?.alert.raisedAt ?? "";
      known.current = { store, ids: new Set(inbox.map(({ id }) => id)), newest };
      setIds([]);
      return;
    }
    const { ids: seen, newest } = known.current;
    // An alert that is restored from the archive is older than the first inbox.
    const arrived = inbox.filter(({ id, readAt, alert }) => !seen.has(id) && !readAt && alert.raisedAt >= newest);
    for (const { id } of inbox) seen.add(id);
    if (arrived.length) setIds((ids) => [...ids, ...arrived.map(({ id }) => id).reverse()]);
  }, [inbox, phase, store]);
  return { ids, close: (id) => setIds((ids) => ids.filter((other) => other !== id)) };
}
