// The used part of Stripe.js, so that it is no dependency: pass the object that `loadStripe` resolves to.

/** A Stripe form on the page. */
export interface StripeElement {
  mount(place: HTMLElement): void;
  destroy(): void;
}

/** The Stripe forms of one payment. */
export interface StripeElements {
  create(kind: "payment"): StripeElement;
}

/** The part of Stripe that confirms a card. */
export interface StripeLike {
  elements(options: { clientSecret: string; appearance?: object; locale?: string }): unknown;
  confirmSetup(options: { elements: never; redirect: "if_required"; confirmParams: { return_url: string } }): Promise<{
    error?: { message?: string | undefined } | undefined;
    setupIntent?: { payment_method?: unknown } | undefined;
  }>;
}

/** How users add cards. */
export type Payments = StripeLike | "simulated";

/** Cards of the simulated gateway, by behavior. */
export const SIMULATED_CARDS = [
  "card_ok",
  "card_insufficient_funds",
  "card_declined",
  "card_expired",
  "card_blocked",
  "card_authenticate",
  "card_declines_once",
  "card_slow",
  "card_hang",
  "card_unavailable",
  "card_dies_after_charge",
  "card_fails_late",
  "card_disputed",
  "card_refund_fails",
] as const;
