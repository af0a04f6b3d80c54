// GraphQL documents of purchases.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** A purchase with all of its attempts. */
const PURCHASE = graphql(`
  fragment LedgerbellPurchase on TopUp @_unmask {
    id
    status
    origin
    credits
    price {
      amount
      currency
    }
    canRetry
    failure {
      code
      message
      nextStep
      actionUrl
    }
    attempts {
      id
      number
      outcome
      failureCode
      startedAt
      finishedAt
      paymentMethod {
        id
        brand
        last4
      }
      actor {
        label
      }
    }
    requestedBy {
      label
    }
    nextAttemptAt
    creditsReversed
    createdAt
    updatedAt
  }
`);

/** A page of purchases. */
export const TOP_UPS = graphql(
  `
    query LedgerbellTopUps($id: ID, $first: Int!, $after: String) {
      viewer {
        permissions
      }
      account(id: $id) {
        topUps(first: $first, after: $after) {
          liveCursor
          nodes {
            ...LedgerbellPurchase
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [PURCHASE],
);

/** Changes of purchases, live. */
export const TOP_UPS_LIVE = graphql(
  `
    subscription LedgerbellTopUpsLive($id: ID, $after: LiveCursor) {
      topUpUpdated(accountId: $id, after: $after, replayAtMost: 200) {
        cursor
        signal
        topUp {
          ...LedgerbellPurchase
        }
      }
    }
  `,
  [PURCHASE],
);

/** Buys credits. */
export const BUY = graphql(
  `
    mutation LedgerbellBuy($input: CreateTopUpInput!) {
      createTopUp(input: $input) {
        topUp {
          ...LedgerbellPurchase
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [PURCHASE, REFUSAL],
);

/** Retries a purchase. */
export const RETRY = graphql(
  `
    mutation LedgerbellRetry($input: RetryTopUpInput!) {
      retryTopUp(input: $input) {
        topUp {
          ...LedgerbellPurchase
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [PURCHASE, REFUSAL],
);

/** Cancels a purchase. */
export const CANCEL = graphql(
  `
    mutation LedgerbellCancel($input: CancelTopUpInput!) {
      cancelTopUp(input: $input) {
        topUp {
          ...LedgerbellPurchase
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [PURCHASE, REFUSAL],
);

/** The price of credits. */
export const QUOTE = graphql(`
  query LedgerbellQuote($id: ID, $credits: Credits!) {
    account(id: $id) {
      topUpQuote(credits: $credits) {
        minimum
        maximum
        step
        price {
          amount
          currency
        }
      }
    }
  }
`);
