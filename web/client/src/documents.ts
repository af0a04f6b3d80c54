// What a store asks.
import { BALANCE, INBOX_ITEM, LOG_LINE, REFUSAL, SESSION, TOP_UP } from "./fragments.js";
import { graphql } from "./graphql.js";

/** All of it, and the place in the account's events to go on from. */
export const PAGE = graphql(
  `
    query LedgerbellAccount($id: ID, $log: Int!, $inbox: Int!) {
      viewer {
        member {
          id
        }
      }
      account(id: $id) {
        liveCursor
        id
        name
        status
        frozenReason
        balance {
          ...LedgerbellBalance
        }
        creditLog(first: $log) {
          nodes {
            ...LedgerbellLogLine
          }
        }
        alerts(first: $inbox) {
          unreadCount
          items {
            ...LedgerbellInboxItem
          }
        }
        topUps(first: 20, filter: { statuses: [PENDING, PROCESSING, REQUIRES_ACTION] }) {
          nodes {
            ...LedgerbellTopUp
          }
        }
        sessions(first: 50, filter: { statuses: [PROCESSING] }) {
          nodes {
            ...LedgerbellSession
          }
        }
      }
    }
  `,
  [BALANCE, LOG_LINE, INBOX_ITEM, TOP_UP, SESSION],
);

/** What becomes of the account. */
export const ACCOUNT = graphql(
  `
    subscription LedgerbellAccountLive($id: ID, $after: LiveCursor) {
      accountUpdated(
        accountId: $id
        after: $after
        topics: [CREDIT_ENTRIES, BALANCE, TOP_UPS, SESSIONS]
        replayAtMost: 6000
      ) {
        cursor
        signal
        account {
          id
          name
          status
          frozenReason
          balance {
            ...LedgerbellBalance
          }
        }
        entries {
          ...LedgerbellLogLine
        }
        topUps {
          ...LedgerbellTopUp
        }
        sessions {
          ...LedgerbellSession
        }
      }
    }
  `,
  [BALANCE, LOG_LINE, TOP_UP, SESSION],
);

/** What becomes of the member's inbox. */
export const INBOX = graphql(
  `
    subscription LedgerbellInboxLive($id: ID, $after: LiveCursor) {
      alertsUpdated(accountId: $id, after: $after, replayAtMost: 6000) {
        cursor
        signal
        unreadCount
        upTo {
          id
        }
        items {
          ...LedgerbellInboxItem
        }
      }
    }
  `,
  [INBOX_ITEM],
);

/** Marks alerts as read, or as not read. */
export const READ = graphql(
  `
    mutation LedgerbellRead($input: MarkAlertsReadInput!) {
      markAlertsRead(input: $input) {
        unreadCount
        items {
          ...LedgerbellInboxItem
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [INBOX_ITEM, REFUSAL],
);

/** Puts alerts away, or back. */
export const ARCHIVE = graphql(
  `
    mutation LedgerbellArchive($input: ArchiveAlertsInput!) {
      archiveAlerts(input: $input) {
        unreadCount
        items {
          ...LedgerbellInboxItem
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [INBOX_ITEM, REFUSAL],
);
