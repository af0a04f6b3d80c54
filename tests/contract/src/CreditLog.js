// What a page of Relay has of an account: a list in pages, the object behind an id, a mutation, and a live field.
import { graphql } from "relay-runtime";

export const Page = graphql`
  query CreditLogPageQuery($account: ID, $filter: CreditLogFilter) {
    account(id: $account) {
      id
      name
      balance {
        id
        version
        available
      }
      ...CreditLog_account @arguments(filter: $filter)
    }
  }
`;

/** The log, in pages that Relay keeps as one list, forward and backward. */
export const List = graphql`
  fragment CreditLog_account on Account
  @refetchable(queryName: "CreditLogPaginationQuery")
  @argumentDefinitions(
    filter: { type: "CreditLogFilter" }
    first: { type: "Int", defaultValue: 20 }
    after: { type: "String" }
  ) {
    creditLog(filter: $filter, first: $first, after: $after) @connection(key: "CreditLog_account_creditLog") {
      liveCursor
      edges {
        cursor
        node {
          id
          ...CreditLog_entry
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`;

export const Line = graphql`
  fragment CreditLog_entry on CreditEntry @refetchable(queryName: "CreditLogEntryQuery") {
    id
    sequence
    occurredAt
    kind
    amount
    description
    session {
      id
      title
    }
  }
`;

/** Anything that has an id. */
export const Thing = graphql`
  query CreditLogNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      id
      ...CreditLog_entry @alias(as: "entry")
    }
  }
`;

export const Grant = graphql`
  mutation CreditLogGrantMutation($input: GrantCreditsInput!, $connections: [ID!]!) {
    grantCredits(input: $input) {
      entry @prependNode(connections: $connections, edgeTypeName: "CreditEntryEdge") {
        id
        ...CreditLog_entry
      }
      balance {
        id
        version
        available
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`;

export const Live = graphql`
  subscription CreditLogLiveSubscription($account: ID, $after: LiveCursor, $connections: [ID!]!) {
    creditEntryPosted(accountId: $account, after: $after, replayAtMost: 1000) {
      cursor
      signal
      entry @prependNode(connections: $connections, edgeTypeName: "CreditEntryEdge") {
        id
        ...CreditLog_entry
      }
    }
  }
`;
