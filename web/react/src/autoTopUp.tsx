import { useId, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { AddCard, CardChoice, cardName } from "./cards.js";
import { Price, Time, amountIn, priceIn } from "./format.js";
import type { Payment, Rule } from "./model.js";
import { Badge, Done, Field, Refused, Section } from "./parts.js";
import { usePayment, useQuote, type PaymentHook } from "./payments.js";
import { useLedgerbell } from "./provider.js";
import { WhatIf } from "./whatIf.js";

const TONES: Record<string, string> = { ACTIVE: "plus", PAUSED: "warning" };

/** The rule of auto top-up: a simulation of it, the consent, and why it is paused. */
export function AutoTopUp(): ReactNode {
  const { words } = useLedgerbell();
  const payment = usePayment();
  const { data } = payment;
  const rule = data?.rule;
  return (
    <Section
      name="rule"
      title={words.autoTopUp}
      state={payment}
      aside={rule && <Badge tone={TONES[rule.state] ?? "muted"}>{words.ruleState[rule.state] ?? rule.state}</Badge>}
    >
      {rule && (
        <>
          {rule.pauseReason && <Paused rule={rule} payment={payment} canBuy={data.canBuy} />}
          {rule.enabled && <Spent rule={rule} />}
          {data.canBuy ? <RuleForm rule={rule} data={data} payment={payment} /> : <RuleText rule={rule} />}
          <Decisions rule={rule} />
        </>
      )}
    </Section>
  );
}

/** Pauses that do not end by resuming the rule. */
const NOT_RESUMED = [
  "ACCOUNT_FROZEN",
  "PAYMENT_METHOD_MISSING",
  "PAYMENT_METHOD_EXPIRED",
  "AMOUNT_INVALID",
  "CONSENT_NEEDED",
];

function Paused({ rule, payment, canBuy }: { rule: Rule; payment: PaymentHook; canBuy: boolean }): ReactNode {
  const { words } = useLedgerbell();
  const resuming = useAction(payment.resumeRule);
  const reason = rule.pauseReason ?? "";
  return (
    <div className="lb-notice lb-warning">
      <p>
        <strong>{words.ruleState.PAUSED}.</strong> {words.pause[reason] ?? reason}
      </p>
      {canBuy && !NOT_RESUMED.includes(reason) && (
        <div className="lb-actions">
          <button type="button" className="lb-primary" disabled={resuming.isBusy} onClick={() => void resuming.run()}>
            {words.resume}
          </button>
        </div>
      )}
      <Refused error={resuming.error} />
    </div>
  );
}

function Spent({ rule: { monthlyCap, spentThisMonth, capResetsAt } }: { rule: Rule }): ReactNode {
  const { words } = useLedgerbell();
  const id = useId();
  return (
    <div className="lb-spent">
      <p id={id}>
        {words.spent} <Price money={spentThisMonth} />
        {monthlyCap && (
          <>
            {" "}
            {words.ofCap} <Price money={monthlyCap} />
          </>
        )}
        {monthlyCap && capResetsAt && (
          <small>
            {" "}
            · {words.capResets} <Time at={capResetsAt} />
          </small>
        )}
      </p>
      {monthlyCap && (
        <progress aria-labelledby={id} max={Number(monthlyCap.amount)} value={Number(spentThisMonth.amount)} />
      )}
    </div>
  );
}

/** The rule for viewers who may not change it. */
function RuleText({ rule }: { rule: Rule }): ReactNode {
  const { words, locale } = useLedgerbell();
  const { enabled, trigger, amount, paymentMethod } = rule;
  if (!enabled || trigger === null || amount === null) return <p>{words.ruleOff}</p>;
  const card = paymentMethod ? cardName(paymentMethod) : words.noCard;
  return <p>{words.ruleText(amountIn(locale, trigger), amountIn(locale, amount), card)}</p>;
}

interface Form {
  trigger: string;
  amount: string;
  cap: string;
  card: string;
}

function formOf(rule: Rule, cards: Payment["cards"]): Form {
  const card = rule.paymentMethod ?? cards.find(({ isDefault }) => isDefault) ?? cards[0];
  return {
    trigger: rule.trigger ?? "",
    amount: rule.amount ?? "",
    cap: rule.monthlyCap?.amount ?? "",
    card: card?.id ?? "",
  };
}

function RuleForm({ rule, data, payment }: { rule: Rule; data: Payment; payment: PaymentHook }): ReactNode {
  const { words } = useLedgerbell();
  const saved = formOf(rule, data.cards);
  const [edit, setEdit] = useState<Partial<Form>>({});
  const [hasConsent, setConsent] = useState(false);
  const form = { ...saved, ...edit };
  const hasChanged = (Object.keys(saved) as (keyof Form)[]).some((name) => form[name].trim() !== saved[name]);
  const change = (part: Partial<Form>) => {
    setConsent(false);
    setEdit({ ...edit, ...part });
  };
  const saving = useAction(async (enabled: boolean) => {
    const monthlyCap = form.cap.trim() || null;
    await payment.saveRule({
      enabled,
      expectedVersion: rule.version,
      // Disabling keeps all other settings.
      ...(enabled && {
        trigger: form.trigger.trim(),
        amount: form.amount.trim(),
        // Null removes a cap, which is refused while the rule is enabled.
        ...(monthlyCap !== (rule.monthlyCap?.amount ?? null) && { monthlyCap }),
        paymentMethodId: form.card,
        consent: hasConsent,
      }),
    });
    setEdit({});
    setConsent(false);
  });
  const needsConsent = !rule.enabled || hasChanged || rule.pauseReason === "CONSENT_NEEDED";
  const isWhole = form.trigger.trim() !== "" && form.amount.trim() !== "" && form.card !== "";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void saving.run(true);
      }}
    >
      <RuleFields form={form} change={change} data={data} />
      {isWhole && <WhatIf trigger={form.trigger.trim()} amount={form.amount.trim()} cap={form.cap.trim() || null} />}
      {isWhole && needsConsent && <Consent form={form} data={data} isGiven={hasConsent} onChange={setConsent} />}
      <div className="lb-actions">
        {needsConsent && (
          <button type="submit" className="lb-primary" disabled={saving.isBusy || !isWhole || !hasConsent}>
            {rule.enabled ? words.save : words.switchOn}
          </button>
        )}
        {rule.enabled && (
          <button type="button" disabled={saving.isBusy} onClick={() => void saving.run(false)}>
            {words.switchOff}
          </button>
        )}
        {hasChanged && (
          <button type="button" className="lb-quiet" onClick={() => setEdit({})}>
            {words.discard}
          </button>
        )}
      </div>
      <Done when={saving.isDone}>{words.saved}</Done>
      <Refused error={saving.error} />
    </form>
  );
}

function RuleFields({
  form,
  change,
  data,
}: {
  form: Form;
  change: (part: Partial<Form>) => void;
  data: Payment;
}): ReactNode {
  const { words } = useLedgerbell();
  const [isAdding, setAdding] = useState(false);
  return (
    <>
      <div className="lb-fields">
        <Field label={words.trigger} hint={words.triggerHint}>
          <input
            inputMode="decimal"
            required
            value={form.trigger}
            onChange={(event) => change({ trigger: event.target.value })}
          />
        </Field>
        <Field label={words.buyAmount} hint={words.amountHint}>
          <input
            inputMode="decimal"
            required
            value={form.amount}
            onChange={(event) => change({ amount: event.target.value })}
          />
        </Field>
        <Field label={`${words.cap} (${data.creditPrice.currency})`} hint={words.capHint}>
          <input inputMode="decimal" value={form.cap} onChange={(event) => change({ cap: event.target.value })} />
        </Field>
        {data.cards.length > 0 && (
          <CardChoice
            cards={data.cards}
            value={form.card}
            onChange={(card) => change({ card })}
            label={words.card}
            {...(form.card === "" && { first: words.choose })}
          />
        )}
      </div>
      {data.cards.length === 0 || isAdding ? (
        <AddCard
          onAdded={(card) => {
            setAdding(false);
            change({ card: card.id });
          }}
        />
      ) : (
        <button type="button" className="lb-quiet" onClick={() => setAdding(true)}>
          {words.otherCard}
        </button>
      )}
    </>
  );
}

function Consent({
  form,
  data,
  isGiven,
  onChange,
}: {
  form: Form;
  data: Payment;
  isGiven: boolean;
  onChange: (isGiven: boolean) => void;
}): ReactNode {
  const { words, locale } = useLedgerbell();
  const { data: quote } = useQuote(form.amount.trim());
  const card = data.cards.find(({ id }) => id === form.card);
  if (!quote?.price || !card) return null;
  const { currency } = data.creditPrice;
  const cap = form.cap.trim();
  const text = words.consent({
    trigger: amountIn(locale, form.trigger.trim()),
    amount: amountIn(locale, form.amount.trim()),
    price: priceIn(locale, quote.price),
    card: cardName(card),
    cap: cap && priceIn(locale, { amount: cap, currency }),
  });
  return (
    <label className="lb-check lb-consent">
      <input type="checkbox" checked={isGiven} onChange={(event) => onChange(event.target.checked)} />
      <span>{text}</span>
    </label>
  );
}

function Decisions({ rule }: { rule: Rule }): ReactNode {
  const { words } = useLedgerbell();
  const decisions = rule.decisions?.nodes ?? [];
  if (rule.consentedAt === null && decisions.length === 0) return null;
  return (
    <details>
      <summary>{words.decisions}</summary>
      {rule.consentedAt && (
        <p className="lb-hint">
          {words.consentedBy(rule.consentedBy?.label ?? "")} · <Time at={rule.consentedAt} />
        </p>
      )}
      <ul className="lb-attempts">
        {decisions.map((decision) => (
          <li key={decision.id}>
            <span>{decision.message}</span>
            <small>
              <Time at={decision.decidedAt} />
            </small>
          </li>
        ))}
      </ul>
    </details>
  );
}
