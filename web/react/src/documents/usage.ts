// GraphQL documents of usage and forecast.
import { graphql } from "@ledgerbell/client/graphql";

/** How long credits will last. */
export const FORECAST = graphql(`
  query LedgerbellForecast($id: ID) {
    account(id: $id) {
      forecast {
        creditsPerDay
        daysLeft
        depletedAt
        nextAutoTopUpAt
      }
    }
  }
`);

/** Credits used, by group and time. */
export const USAGE = graphql(`
  query LedgerbellUsage($id: ID, $filter: CreditLogFilter, $groupBy: [UsageGrouping!]!, $after: String) {
    account(id: $id) {
      liveCursor
      timezone
      creditUsage(filter: $filter, groupBy: $groupBy, first: 100, after: $after) {
        nodes {
          key
          date
          kind
          member {
            id
            name
          }
          totals {
            count
            added
            deducted
          }
          closingBalance
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

/** Reports that there are new lines. */
export const USAGE_LIVE = graphql(`
  subscription LedgerbellUsageLive($id: ID, $after: LiveCursor) {
    accountUpdated(accountId: $id, after: $after, topics: [CREDIT_ENTRIES], replayAtMost: 1) {
      cursor
      signal
    }
  }
`);
