import { useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { AddCard, CardChoice } from "./cards.js";
import { amountIn, priceIn } from "./format.js";
import type { Payment, Quote } from "./model.js";
import { Field, Refused, Section } from "./parts.js";
import { usePayment, usePurchases, useQuote } from "./payments.js";
import { useLedgerbell } from "./provider.js";
import { PurchaseView } from "./topUps.js";

/** The properties of {@link BuyCredits}. */
export interface BuyCreditsProps {
  /** Amounts to choose from, besides a custom amount. */
  amounts?: readonly number[] | undefined;
}

/** Buys credits: shows the price, a choice of cards, and the result. Renders nothing if the viewer may not buy. */
export function BuyCredits({ amounts = [100, 500, 1000] }: BuyCreditsProps): ReactNode {
  const { words } = useLedgerbell();
  const payment = usePayment();
  const purchases = usePurchases();
  const [boughtId, setBoughtId] = useState<string | null>(null);
  const { data } = payment;
  if (data && !data.canBuy) return null;
  const bought = purchases.data?.list.find(({ id }) => id === boughtId);
  return (
    <Section name="buy" title={words.buyCredits} state={payment}>
      {data && !bought && <BuyForm data={data} amounts={amounts} buy={purchases.buy} onBought={setBoughtId} />}
      {bought && (
        <div role="status">
          <PurchaseView purchase={bought} canBuy />
          <div className="lb-actions">
            <button type="button" onClick={() => setBoughtId(null)}>
              {words.buyMore}
            </button>
          </div>
        </div>
      )}
    </Section>
  );
}

interface BuyFormProps {
  data: Payment;
  amounts: readonly number[];
  buy: ReturnType<typeof usePurchases>["buy"];
  onBought: (id: string) => void;
}

function BuyForm({ data, amounts, buy, onBought }: BuyFormProps): ReactNode {
  const { words, locale } = useLedgerbell();
  const { cards } = data;
  const [credits, setCredits] = useState(String(amounts[0] ?? ""));
  const [chosen, setChosen] = useState("");
  const [isAdding, setAdding] = useState(false);
  const usual = cards.find(({ isDefault }) => isDefault) ?? cards[0];
  const card = chosen === "" ? (usual?.id ?? "") : chosen;
  const asked = useQuote(credits.trim());
  const buying = useAction(async () => onBought((await buy(credits.trim(), card)).id));
  const price = asked.data?.price && priceIn(locale, asked.data.price);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void buying.run();
      }}
    >
      <div className="lb-chips" role="group" aria-label={words.amount}>
        {amounts.map((amount) => (
          <button
            key={amount}
            type="button"
            aria-pressed={Number(credits) === amount}
            onClick={() => setCredits(String(amount))}
          >
            {amountIn(locale, String(amount))}
          </button>
        ))}
      </div>
      <div className="lb-fields">
        <Field label={words.howMany} hint={asked.data && !price && <Bounds quote={asked.data} />}>
          <input inputMode="decimal" required value={credits} onChange={(event) => setCredits(event.target.value)} />
        </Field>
        {cards.length > 0 && <CardChoice cards={cards} value={card} onChange={setChosen} label={words.card} />}
      </div>
      {cards.length === 0 || isAdding ? (
        <AddCard
          onAdded={({ id }) => {
            setAdding(false);
            setChosen(id);
          }}
        />
      ) : (
        <button type="button" className="lb-quiet" onClick={() => setAdding(true)}>
          {words.otherCard}
        </button>
      )}
      <div className="lb-actions">
        <button
          type="submit"
          className="lb-primary lb-wide"
          disabled={buying.isBusy || asked.isLoading || !price || !card}
        >
          {buying.isBusy ? words.buying : price ? words.buyFor(amountIn(locale, credits.trim()), price) : words.buy}
        </button>
      </div>
      {asked.data && !asked.data.price && <p className="lb-reason">{words.notSold}</p>}
      <Refused error={buying.error ?? asked.error} />
    </form>
  );
}

function Bounds({ quote: { minimum, maximum, step } }: { quote: Quote }): ReactNode {
  const { words, locale } = useLedgerbell();
  return words.bounds(amountIn(locale, minimum), amountIn(locale, maximum), amountIn(locale, step));
}
