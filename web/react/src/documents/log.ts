// GraphQL documents of the credit log.
import { LOG_LINE } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** The credit log by a filter. */
export const LOG = graphql(
  `
    query LedgerbellLog($id: ID, $filter: CreditLogFilter, $first: Int!, $after: String) {
      account(id: $id) {
        creditLog(filter: $filter, first: $first, after: $after) {
          liveCursor
          nodes {
            ...LedgerbellLogLine
          }
          pageInfo {
            hasNextPage
            endCursor
          }
          totals {
            count
            added
            deducted
            net
          }
        }
      }
    }
  `,
  [LOG_LINE],
);

/** Older lines, without totals. */
export const OLDER_LOG = graphql(
  `
    query LedgerbellOlderLog($id: ID, $filter: CreditLogFilter, $first: Int!, $after: String) {
      account(id: $id) {
        creditLog(filter: $filter, first: $first, after: $after) {
          nodes {
            ...LedgerbellLogLine
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [LOG_LINE],
);

/** New lines, live. */
export const LOG_LIVE = graphql(
  `
    subscription LedgerbellLogLive($id: ID, $filter: CreditLogFilter, $after: LiveCursor) {
      accountUpdated(accountId: $id, after: $after, topics: [CREDIT_ENTRIES], replayAtMost: 1000) {
        cursor
        signal
        entries(filter: $filter) {
          ...LedgerbellLogLine
        }
      }
    }
  `,
  [LOG_LINE],
);

/** The details of one line. */
export const ENTRY = graphql(
  `
    query LedgerbellEntry($id: ID!) {
      node(id: $id) {
        ... on CreditEntry {
          ...LedgerbellLogLine
          balanceBefore
          hash
          session {
            startsAt
            endsAt
            booked
            charged
            refunded
          }
          reverses {
            id
            description
            occurredAt
          }
          reversedBy {
            id
            description
            occurredAt
          }
          lotDraws {
            amount
            lot {
              id
              kind
              granted
              remaining
              expiresAt
            }
          }
        }
      }
    }
  `,
  [LOG_LINE],
);

/** A link to download the log as a file. */
export const EXPORT = graphql(`
  query LedgerbellExport($id: ID, $filter: CreditLogFilter, $format: ExportFormat!) {
    account(id: $id) {
      creditLogExport(filter: $filter, format: $format) {
        url
      }
    }
  }
`);

/** The members that the log can be filtered by. */
export const MEMBERS = graphql(`
  query LedgerbellMembers($id: ID) {
    account(id: $id) {
      members(first: 100, includeRemoved: true) {
        nodes {
          id
          name
        }
      }
    }
  }
`);
