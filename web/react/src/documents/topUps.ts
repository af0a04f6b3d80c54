// Documents of purchases.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** A purchase with all of its tries. */
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

/** Purchases. */
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

/** What becomes of purchases. */
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

/** Tries a purchase again. */
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

/** Gives a purchase up. */
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

/** What credits would cost. */
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
