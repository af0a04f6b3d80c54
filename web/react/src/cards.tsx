// Cards: display, choice, and forms to add them.
import { useEffect, useId, useRef, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { SETUP_CARD } from "./documents/payment.js";
import type { Card } from "./model.js";
import { Badge, Field, Refused, Section } from "./parts.js";
import { usePayment } from "./payments.js";
import { useLedgerbell } from "./provider.js";
import { SIMULATED_CARDS, type StripeElement, type StripeElements, type StripeLike } from "./stripe.js";

/** Returns a short name of a card. */
export function cardName({ brand, last4 }: Pick<Card, "brand" | "last4">): string {
  return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} •••• ${last4}`;
}

/** A choice of the card to charge. */
export function CardChoice({
  cards,
  value,
  onChange,
  label,
  first,
}: {
  cards: readonly Card[];
  value: string;
  onChange: (id: string) => void;
  label: string;
  /** The label of the choice without a card. */
  first?: string;
}): ReactNode {
  const { words } = useLedgerbell();
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {first !== undefined && <option value="">{first}</option>}
        {cards.map((card) => (
          <option key={card.id} value={card.id}>
            {cardName(card)}
            {card.status !== "ACTIVE" && ` (${words.cardStatus[card.status] ?? card.status})`}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** A form that adds a card: Stripe's form, or a choice of simulated cards. */
export function AddCard({ onAdded }: { onAdded?: (card: Card) => void }): ReactNode {
  const { payments, words } = useLedgerbell();
  if (payments === "simulated") return <SimulatedCard onAdded={onAdded} />;
  if (payments) return <StripeCard stripe={payments} onAdded={onAdded} />;
  return <p className="lb-empty">{words.noCardForm}</p>;
}

interface Added {
  onAdded: ((card: Card) => void) | undefined;
}

/** Returns the tokens of the simulated gateway's cards, and what each card does. */
export function useSimulatedCards(): readonly { token: string; label: string }[] {
  const { words } = useLedgerbell();
  return SIMULATED_CARDS.map((token) => ({ token, label: words.simulated[token] }));
}

function SimulatedCard({ onAdded }: Added): ReactNode {
  const { words } = useLedgerbell();
  const cards = useSimulatedCards();
  const { addCard } = usePayment();
  const [token, setToken] = useState<string>(SIMULATED_CARDS[0]);
  const adding = useAction(async () => {
    // Each token is one card, so this adds another card with the same behavior.
    const card = await addCard(`${token}-${Math.random().toString(36).slice(2, 8)}`);
    onAdded?.(card);
  });
  return (
    <div className="lb-form">
      <Field label={words.simulatedCard} hint={words.simulatedHint}>
        <select value={token} onChange={(event) => setToken(event.target.value)}>
          {cards.map(({ token, label }) => (
            <option key={token} value={token}>
              {label}
            </option>
          ))}
        </select>
      </Field>
      <div className="lb-actions">
        <button type="button" disabled={adding.isBusy} onClick={() => void adding.run()}>
          {words.addCard}
        </button>
      </div>
      <Refused error={adding.error} />
    </div>
  );
}

function StripeCard({ stripe, onAdded }: Added & { stripe: StripeLike }): ReactNode {
  const { client, accountId, locale, words } = useLedgerbell();
  const { addCard } = usePayment();
  const place = useRef<HTMLDivElement>(null);
  const [elements, setElements] = useState<StripeElements | null>(null);
  const starting = useAction(async () => {
    const input = accountId === null ? {} : { accountId };
    const { startPaymentMethodSetup } = await client.mutate(SETUP_CARD, { input });
    const clientSecret = startPaymentMethodSetup?.clientSecret;
    if (!clientSecret) throw new Error(words.noCardForm);
    setElements(stripe.elements({ clientSecret, locale: locale.slice(0, 2) }) as StripeElements);
  });
  useEffect(() => {
    if (!elements || !place.current) return;
    const element: StripeElement = elements.create("payment");
    element.mount(place.current);
    return () => element.destroy();
  }, [elements]);
  const adding = useAction(async () => {
    const { error, setupIntent } = await stripe.confirmSetup({
      elements: elements as never,
      redirect: "if_required",
      confirmParams: { return_url: location.href },
    });
    if (error) throw new Error(error.message ?? words.failed);
    const method = setupIntent?.payment_method;
    const card = await addCard(typeof method === "string" ? method : (method as { id: string }).id);
    setElements(null);
    onAdded?.(card);
  });
  return (
    <div className="lb-form">
      <div ref={place} />
      <div className="lb-actions">
        {elements ? (
          <button type="button" className="lb-primary" disabled={adding.isBusy} onClick={() => void adding.run()}>
            {words.saveCard}
          </button>
        ) : (
          <button type="button" disabled={starting.isBusy} onClick={() => void starting.run()}>
            {words.addCard}
          </button>
        )}
      </div>
      <Refused error={starting.error ?? adding.error} />
    </div>
  );
}

/** The account's cards: the default, others, and a form to add one. */
export function PaymentMethods(): ReactNode {
  const { words } = useLedgerbell();
  const payment = usePayment();
  const { data, makeDefault, removeCard } = payment;
  const changing = useAction((change: () => Promise<void>) => change());
  const id = useId();
  return (
    <Section name="cards" title={words.cards} state={payment}>
      {data?.cards.length === 0 && <p className="lb-empty">{words.noCards}</p>}
      <ul className="lb-list">
        {data?.cards.map((card) => (
          <li key={card.id} className="lb-item">
            <div className="lb-line">
              <strong id={`${id}${card.id}`}>{cardName(card)}</strong>
              <span className="lb-tags">
                {card.isDefault && <Badge tone="info">{words.isDefault}</Badge>}
                {card.status !== "ACTIVE" && (
                  <Badge tone={card.status === "EXPIRING" ? "warning" : "critical"}>
                    {words.cardStatus[card.status] ?? card.status}
                  </Badge>
                )}
              </span>
            </div>
            <small>{words.expires(`${String(card.expiryMonth).padStart(2, "0")}/${card.expiryYear}`)}</small>
            {data.canBuy && (
              <div className="lb-actions">
                {!card.isDefault && (
                  <button
                    type="button"
                    aria-describedby={`${id}${card.id}`}
                    onClick={() => void changing.run(() => makeDefault(card.id))}
                  >
                    {words.makeDefault}
                  </button>
                )}
                <button
                  type="button"
                  className="lb-quiet"
                  aria-describedby={`${id}${card.id}`}
                  onClick={() => void changing.run(() => removeCard(card.id))}
                >
                  {words.remove}
                </button>
              </div>
            )}
          </li>
        ))}
      </ul>
      <Refused error={changing.error} />
      {data?.canBuy && <AddCard />}
    </Section>
  );
}
