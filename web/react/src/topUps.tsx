import { useId, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { AddCard, CardChoice, cardName } from "./cards.js";
import { Credits, Price, Time } from "./format.js";
import type { Attempt, Card, Purchase } from "./model.js";
import { Badge, Refused, Section } from "./parts.js";
import { usePayment, usePurchases } from "./payments.js";
import { useLedgerbell } from "./provider.js";

const TONES: Record<string, string> = {
  SUCCEEDED: "plus",
  FAILED: "critical",
  REQUIRES_ACTION: "warning",
  DISPUTED: "critical",
  PROCESSING: "info",
  PENDING: "info",
};

/** Purchases of credits: the status of each, every attempt, and the next step if one failed. */
export function TopUps(): ReactNode {
  const { words } = useLedgerbell();
  const purchases = usePurchases();
  const { data, loadMore } = purchases;
  const loading = useAction(loadMore);
  return (
    <Section name="topups" title={words.topUps} state={purchases}>
      {data?.list.length === 0 && <p className="lb-empty">{words.noTopUps}</p>}
      <ul className="lb-list">
        {data?.list.map((purchase) => (
          <li key={purchase.id} className="lb-item">
            <PurchaseView purchase={purchase} canBuy={data.canBuy} />
          </li>
        ))}
      </ul>
      {data?.hasMore && (
        <button type="button" className="lb-more" disabled={loading.isBusy} onClick={() => void loading.run()}>
          {words.older}
        </button>
      )}
      <Refused error={loading.error} />
    </Section>
  );
}

/** One purchase. */
export function PurchaseView({ purchase, canBuy }: { purchase: Purchase; canBuy: boolean }): ReactNode {
  const { words } = useLedgerbell();
  const id = useId();
  const { status, origin, credits, price, failure, attempts, nextAttemptAt, createdAt, requestedBy } = purchase;
  return (
    <article aria-labelledby={id}>
      <div className="lb-line">
        <strong id={id}>
          <Credits amount={credits} /> {words.credits}
        </strong>
        <Badge tone={TONES[status] ?? "muted"}>{words.topUpStatus[status] ?? status}</Badge>
      </div>
      <small>
        <Price money={price} /> · {origin === "AUTO" ? words.automatic : requestedBy.label} · <Time at={createdAt} />
      </small>
      {failure && <p className="lb-reason">{failure.message}</p>}
      {nextAttemptAt && (
        <p className="lb-hint">
          {words.nextAttempt} <Time at={nextAttemptAt} />
        </p>
      )}
      {canBuy && <WhatToDo purchase={purchase} label={id} />}
      {attempts.length > 0 && (
        <details>
          <summary>{words.attempts(attempts.length)}</summary>
          <ol className="lb-attempts">
            {attempts.map((attempt) => (
              <AttemptView key={attempt.id} attempt={attempt} />
            ))}
          </ol>
        </details>
      )}
    </article>
  );
}

function AttemptView({ attempt }: { attempt: Attempt }): ReactNode {
  const { words } = useLedgerbell();
  const { outcome, failureCode, paymentMethod, startedAt, actor } = attempt;
  return (
    <li>
      <span>
        {words.attemptOutcome[outcome] ?? outcome}
        {failureCode && outcome !== "REQUIRES_ACTION" && `: ${words.failureCode[failureCode] ?? failureCode}`}
      </span>
      <small>
        <Time at={startedAt} />
        {paymentMethod && ` · ${cardName(paymentMethod)}`} · {actor.label}
      </small>
    </li>
  );
}

/** The actions that the viewer can take for a purchase. */
function WhatToDo({ purchase, label }: { purchase: Purchase; label: string }): ReactNode {
  const { words } = useLedgerbell();
  const { data } = usePayment();
  const { retry, cancel } = usePurchases();
  const [isAdding, setAdding] = useState(false);
  const [card, setCard] = useState("");
  const retrying = useAction(retry);
  const canceling = useAction(cancel);
  const { status, canRetry, failure } = purchase;
  const isFailed = status === "FAILED";
  if (!isFailed && !canRetry && status !== "REQUIRES_ACTION") return null;
  const again = (cardId: string) => void retrying.run(purchase, cardId || undefined);
  const isBusy = retrying.isBusy || canceling.isBusy;
  const cards: readonly Card[] = data?.cards ?? [];
  return (
    <>
      <div className="lb-actions" role="group" aria-labelledby={label}>
        {status === "REQUIRES_ACTION" && failure?.actionUrl && (
          <a className="lb-button lb-primary" href={failure.actionUrl} target="_blank" rel="noopener noreferrer">
            {words.confirmAtBank}
          </a>
        )}
        {(isFailed || canRetry) && (
          <>
            {cards.length > 1 && (
              <CardChoice cards={cards} value={card} onChange={setCard} label={words.card} first={words.sameCard} />
            )}
            <button
              type="button"
              className={isFailed ? "lb-primary" : undefined}
              disabled={isBusy || (!canRetry && !card)}
              onClick={() => again(card)}
            >
              {retrying.isBusy ? words.retrying : words.retryNow}
            </button>
            <button type="button" aria-expanded={isAdding} onClick={() => setAdding(!isAdding)}>
              {words.otherCard}
            </button>
          </>
        )}
        {status === "REQUIRES_ACTION" && (
          <button type="button" className="lb-quiet" disabled={isBusy} onClick={() => void canceling.run(purchase)}>
            {words.giveUp}
          </button>
        )}
      </div>
      {isAdding && (
        <AddCard
          onAdded={(added) => {
            setAdding(false);
            again(added.id);
          }}
        />
      )}
      <Refused error={retrying.error ?? canceling.error} />
    </>
  );
}
