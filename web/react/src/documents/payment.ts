// GraphQL documents of cards and the rule.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** The fields of a card. */
const CARD = graphql(`
  fragment LedgerbellCard on PaymentMethod @_unmask {
    id
    brand
    last4
    expiryMonth
    expiryYear
    status
    isDefault
  }
`);

/** Cards, and the rule that charges them. */
export const PAYMENT = graphql(
  `
    query LedgerbellPayment($id: ID) {
      viewer {
        permissions
      }
      account(id: $id) {
        liveCursor
        creditPrice {
          amount
          currency
        }
        paymentMethods {
          ...LedgerbellCard
        }
        autoTopUp {
          id
          version
          enabled
          state
          pauseReason
          trigger
          amount
          monthlyCap {
            amount
            currency
          }
          spentThisMonth {
            amount
            currency
          }
          capResetsAt
          paymentMethod {
            ...LedgerbellCard
          }
          consentedBy {
            label
          }
          consentedAt
          decisions(first: 10) {
            nodes {
              id
              decidedAt
              outcome
              message
            }
          }
        }
      }
    }
  `,
  [CARD],
);

/** Reports that top-ups or findings have changed. Then the rule and its card may have changed too. */
export const PAYMENT_LIVE = graphql(`
  subscription LedgerbellPaymentLive($id: ID, $after: LiveCursor) {
    accountUpdated(accountId: $id, after: $after, topics: [TOP_UPS, TROUBLESHOOTING], replayAtMost: 100) {
      cursor
      signal
    }
  }
`);

/** Starts the setup of a card. */
export const SETUP_CARD = graphql(
  `
    mutation LedgerbellSetupCard($input: StartPaymentMethodSetupInput!) {
      startPaymentMethodSetup(input: $input) {
        clientSecret
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** Adds a card. */
export const ADD_CARD = graphql(
  `
    mutation LedgerbellAddCard($input: AddPaymentMethodInput!) {
      addPaymentMethod(input: $input) {
        paymentMethod {
          ...LedgerbellCard
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [CARD, REFUSAL],
);

/** Makes a card the default for charges that name no card. */
export const DEFAULT_CARD = graphql(
  `
    mutation LedgerbellDefaultCard($input: SetDefaultPaymentMethodInput!) {
      setDefaultPaymentMethod(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** Removes a card. */
export const REMOVE_CARD = graphql(
  `
    mutation LedgerbellRemoveCard($input: RemovePaymentMethodInput!) {
      removePaymentMethod(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** What a rule would have done in the past. */
export const SIMULATION = graphql(`
  query LedgerbellSimulation($id: ID, $trigger: Credits!, $amount: Credits!, $monthlyCap: Decimal) {
    account(id: $id) {
      simulateAutoTopUp(trigger: $trigger, amount: $amount, monthlyCap: $monthlyCap, withManualTopUps: false) {
        from
        until
        isExact
        chargeCount
        credits
        cost {
          amount
          currency
        }
        lowestAvailable
        timesBelowZero
        months {
          month
          charges
          cost {
            amount
            currency
          }
          capReached
        }
      }
    }
  }
`);

/** Changes the rule. */
export const SAVE_RULE = graphql(
  `
    mutation LedgerbellSaveRule($input: UpdateAutoTopUpInput!) {
      updateAutoTopUp(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** Resumes the rule. */
export const RESUME_RULE = graphql(
  `
    mutation LedgerbellResumeRule($input: ResumeAutoTopUpInput!) {
      resumeAutoTopUp(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);
