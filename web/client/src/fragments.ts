// What is selected of each thing, wherever it is asked for.
import { graphql } from "./graphql.js";

/** A line of the credit log, as `LogLine`. */
export const LOG_LINE = graphql(`
  fragment LedgerbellLogLine on CreditEntry @_unmask {
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
`);

/** An alert as an inbox has it, as `InboxItem`. */
export const INBOX_ITEM = graphql(`
  fragment LedgerbellInboxItem on InboxItem @_unmask {
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
`);

/** A top-up, as `TopUp`. */
export const TOP_UP = graphql(`
  fragment LedgerbellTopUp on TopUp @_unmask {
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
`);

/** A session, as `Session`. */
export const SESSION = graphql(`
  fragment LedgerbellSession on Session @_unmask {
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
`);

/** What an account has, as `Balance`. */
export const BALANCE = graphql(`
  fragment LedgerbellBalance on Balance @_unmask {
    id
    version
    posted
    held
    available
    incoming
  }
`);

/** Why a mutation changed nothing. */
export const REFUSAL = graphql(`
  fragment LedgerbellRefusal on UserError @_unmask {
    code
    message
    field
  }
`);
