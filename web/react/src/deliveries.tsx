// Who received an alert, and why others did not.
import { useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { DELIVERIES, RESEND } from "./documents/inbox.js";
import { Time } from "./format.js";
import type { Delivery } from "./model.js";
import { Badge, Done, Refused } from "./parts.js";
import { useLedgerbell } from "./provider.js";

const TONES: Record<string, string> = { SENT: "plus", FAILED: "critical", BOUNCED: "critical", QUEUED: "info" };

/** The recipients of an alert, by channel and with the status of each. They are read when the list is opened. */
export function Deliveries({ alertId }: { alertId: string }): ReactNode {
  const { client, words } = useLedgerbell();
  const [read, setRead] = useState<{ list: readonly Delivery[]; canResend: boolean } | null>(null);
  const reading = useAction(async () => {
    const { viewer, node } = await client.query(DELIVERIES, { id: alertId });
    const list = (node && "deliveries" in node ? node.deliveries?.nodes : null) ?? [];
    setRead({ list, canResend: viewer.permissions.includes("MANAGE_SETTINGS") });
  });
  return (
    <details onToggle={(event) => event.currentTarget.open && void reading.run()}>
      <summary>{words.deliveries}</summary>
      {!read && !reading.error && <p className="lb-hint">{words.loading}</p>}
      {read?.list.length === 0 && <p className="lb-hint">{words.noDeliveries}</p>}
      <ul className="lb-attempts">
        {read?.list.map((delivery) => (
          <DeliveryView
            key={delivery.id}
            delivery={delivery}
            canResend={read.canResend}
            onSent={() => void reading.run()}
          />
        ))}
      </ul>
      <Refused error={reading.error} />
    </details>
  );
}

function DeliveryView({
  delivery,
  canResend,
  onSent,
}: {
  delivery: Delivery;
  canResend: boolean;
  onSent: () => void;
}): ReactNode {
  const { client, words } = useLedgerbell();
  const { id, channel, status, suppressedBecause, address, lastError, nextAttemptAt, sentAt, createdAt } = delivery;
  const name = delivery.recipient?.name ?? delivery.notificationAddress?.label;
  const sending = useAction(async () => {
    await client.mutate(RESEND, { input: { deliveryId: id } });
    onSent();
  });
  const isResendable = channel === "EMAIL" && (status === "FAILED" || status === "BOUNCED");
  return (
    <li>
      <span className="lb-line">
        <span>
          {name} · {words.channel[channel as "EMAIL"]}
        </span>
        <Badge tone={TONES[status] ?? "muted"}>{words.deliveryStatus[status] ?? status}</Badge>
      </span>
      <small>
        {address && `${address} · `}
        <Time at={sentAt ?? createdAt} />
      </small>
      {suppressedBecause && <p className="lb-hint">{words.suppressed[suppressedBecause] ?? suppressedBecause}</p>}
      {lastError && <p className="lb-hint">{lastError}</p>}
      {nextAttemptAt && (
        <p className="lb-hint">
          {words.nextAttempt} <Time at={nextAttemptAt} />
        </p>
      )}
      {canResend && isResendable && (
        <button type="button" disabled={sending.isBusy} onClick={() => void sending.run()}>
          {words.resend}
        </button>
      )}
      <Done when={sending.isDone}>{words.sent}</Done>
      <Refused error={sending.error} />
    </li>
  );
}
