// What a store asks.
import { graphql } from "./graphql.js";

/** All of it, and the place in the account's events to go on from. */
export const PAGE = graphql(`
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
        id
        version
        posted
        held
        available
        incoming
      }
      creditLog(first: $log) {
        nodes {
          id
          sequence
          occurredAt
          kind
          amount
          balanceAfter
          description
          actor {
            kind
            label
          }
          member {
            id
            name
          }
          session {
            id
            title
            status
          }
          topUp {
            id
            status
          }
        }
      }
      alerts(first: $inbox) {
        unreadCount
        items {
          id
          readAt
          archivedAt
          alert {
            id
            kind
            severity
            title
            body
            raisedAt
            resolvedAt
            action {
              label
              nextStep
              url
            }
          }
        }
      }
      topUps(first: 20, filter: { statuses: [PENDING, PROCESSING, REQUIRES_ACTION] }) {
        nodes {
          id
          status
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
          createdAt
          updatedAt
        }
      }
      sessions(first: 50, filter: { statuses: [PROCESSING] }) {
        nodes {
          id
          title
          status
          held
          startsAt
          endsAt
          deductionExpectedBy
          member {
            id
            name
          }
        }
      }
    }
  }
`);

/** What becomes of the account. */
export const ACCOUNT = graphql(`
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
          id
          version
          posted
          held
          available
          incoming
        }
      }
      entries {
        id
        sequence
        occurredAt
        kind
        amount
        balanceAfter
        description
        actor {
          kind
          label
        }
        member {
          id
          name
        }
        session {
          id
          title
          status
        }
        topUp {
          id
          status
        }
      }
      topUps {
        id
        status
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
        createdAt
        updatedAt
      }
      sessions {
        id
        title
        status
        held
        startsAt
        endsAt
        deductionExpectedBy
        member {
          id
          name
        }
      }
    }
  }
`);

/** What becomes of the member's inbox. */
export const INBOX = graphql(`
  subscription LedgerbellInboxLive($id: ID, $after: LiveCursor) {
    alertsUpdated(accountId: $id, after: $after, replayAtMost: 6000) {
      cursor
      signal
      unreadCount
      upTo {
        id
      }
      items {
        id
        readAt
        archivedAt
        alert {
          id
          kind
          severity
          title
          body
          raisedAt
          resolvedAt
          action {
            label
            nextStep
            url
          }
        }
      }
    }
  }
`);

/** Marks of alerts. */
export const READ = graphql(`
  mutation LedgerbellRead($input: MarkAlertsReadInput!) {
    markAlertsRead(input: $input) {
      unreadCount
      items {
        id
        readAt
        archivedAt
        alert {
          id
          kind
          severity
          title
          body
          raisedAt
          resolvedAt
          action {
            label
            nextStep
            url
          }
        }
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

/** Marks of alerts. */
export const ARCHIVE = graphql(`
  mutation LedgerbellArchive($input: ArchiveAlertsInput!) {
    archiveAlerts(input: $input) {
      unreadCount
      items {
        id
        readAt
        archivedAt
        alert {
          id
          kind
          severity
          title
          body
          raisedAt
          resolvedAt
          action {
            label
            nextStep
            url
          }
        }
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);
