// GraphQL documents of alerts.
import { INBOX_ITEM, REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** Alerts of the member's inbox that are older, or that were archived. */
export const ALERTS = graphql(
  `
    query LedgerbellAlerts($id: ID, $filter: AlertFilter, $first: Int!, $after: String) {
      account(id: $id) {
        alerts(filter: $filter, first: $first, after: $after) {
          items {
            ...LedgerbellInboxItem
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [INBOX_ITEM],
);

/** The recipients of an alert. */
export const DELIVERIES = graphql(`
  query LedgerbellDeliveries($id: ID!) {
    viewer {
      permissions
    }
    node(id: $id) {
      ... on Alert {
        deliveries(first: 50) {
          nodes {
            id
            channel
            status
            suppressedBecause
            address
            attempts
            lastError
            nextAttemptAt
            sentAt
            createdAt
            recipient {
              id
              name
            }
            notificationAddress {
              id
              label
            }
          }
        }
      }
    }
  }
`);

/** Sends a mail again. */
export const RESEND = graphql(
  `
    mutation LedgerbellResend($input: ResendDeliveryInput!) {
      resendDelivery(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);
