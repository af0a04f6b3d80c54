// Payments that need a person, of all accounts: for operators of the platform.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql, type ResultOf } from "@ledgerbell/client/graphql";
import { useAction } from "@ledgerbell/react";
import type { ReactNode } from "react";

import { TextField, useTexts } from "../form.js";
import { Amount, Card, Instant, Listing, Money, Refusal } from "../parts.js";
import { usePlace } from "../place.js";
import { usePages } from "../query.js";
import { hrefOf } from "../route.js";

const TOP_UP = graphql(`
  fragment ConsoleOperationTopUp on TopUp @_unmask {
    id
    credits
    price {
      amount
      currency
    }
    account {
      id
      name
    }
  }
`);

const UNSETTLED = graphql(
  `
    query ConsoleUnsettledTopUps($first: Int!, $after: String) {
      unsettledTopUps(first: $first, after: $after) {
        nodes {
          unknownSince
          topUp {
            ...ConsoleOperationTopUp
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  `,
  [TOP_UP],
);

const REFUNDS = graphql(
  `
    query ConsoleFailedRefunds($first: Int!, $after: String) {
      failedRefunds(first: $first, after: $after) {
        nodes {
          at
          cameBack
          credits
          reason
          amount {
            amount
            currency
          }
          topUp {
            ...ConsoleOperationTopUp
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  `,
  [TOP_UP],
);

const WEBHOOKS = graphql(`
  query ConsoleParkedWebhooks($first: Int!, $after: String) {
    parkedWebhooks(first: $first, after: $after) {
      nodes {
        eventId
        kind
        objectId
        reason
        tries
        receivedAt
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const SETTLE = graphql(
  `
    mutation ConsoleSettleTopUp($input: SettleTopUpInput!) {
      settleTopUp(input: $input) {
        topUp {
          id
          status
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const REFUND = graphql(
  `
    mutation ConsoleRefund($input: RefundTopUpInput!) {
      refundTopUp(input: $input) {
        topUp {
          id
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const RETRY = graphql(
  `
    mutation ConsoleRetryWebhook($input: RetryWebhookInput!) {
      retryWebhook(input: $input) {
        webhook {
          eventId
          status
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

type TopUp = ResultOf<typeof TOP_UP>;

const PAGE = 20;

export default function Operations(): ReactNode {
  return (
    <>
      <Unsettled />
      <Refunds />
      <Webhooks />
    </>
  );
}

/** A top-up and its account, with a link to the account's top-ups. */
function Purchase({ topUp: { credits, price, account } }: { topUp: TopUp }): ReactNode {
  const { words } = usePlace();
  return (
    <strong>
      <a href={hrefOf({ accountId: account.id, screen: "topups" })}>{account.name}</a>: <Amount value={credits} />{" "}
      {words.creditsFor} <Money {...price} />
    </strong>
  );
}

function Unsettled(): ReactNode {
  const { client, permissions, words } = usePlace();
  const list = usePages("unsettled", PAGE, async (first, after) => {
    return (await client.query(UNSETTLED, { first, after })).unsettledTopUps;
  });
  return (
    <Card title={words.unsettled}>
      <p className="console-hint">{words.unsettledHint}</p>
      <Listing list={list}>
        {({ topUp, unknownSince }) => (
          <li key={topUp.id}>
            <span>
              <Purchase topUp={topUp} />
              <small>
                {words.unknownSince} <Instant at={unknownSince} /> · <code>{topUp.id}</code>
              </small>
            </span>
            {permissions.has("MANAGE_CREDITS") && <Settling topUpId={topUp.id} onDone={list.refresh} />}
          </li>
        )}
      </Listing>
    </Card>
  );
}

function Settling({ topUpId, onDone }: { topUpId: string; onDone: () => void }): ReactNode {
  const { client, words } = usePlace();
  const texts = useTexts({ reason: "" });
  const { reason } = texts.values;
  const settle = useAction(async (isCharged: boolean) => {
    await client.mutate(SETTLE, { input: { topUpId, isCharged, reason } });
    onDone();
  });
  const button = (label: string, isCharged: boolean) => (
    <button type="button" disabled={settle.isBusy || !reason.trim()} onClick={() => void settle.run(isCharged)}>
      {label}
    </button>
  );
  return (
    <form className="console-inline" onSubmit={(event) => event.preventDefault()}>
      <TextField label={words.settleReason} {...texts.of("reason")} required maxLength={500} />
      {button(words.settleCharged, true)}
      {button(words.settleNotCharged, false)}
      <Refusal error={settle.error} />
    </form>
  );
}

function Refunds(): ReactNode {
  const { client, permissions, words } = usePlace();
  const list = usePages("refunds", PAGE, async (first, after) => {
    return (await client.query(REFUNDS, { first, after })).failedRefunds;
  });
  return (
    <Card title={words.failedRefunds}>
      <p className="console-hint">{words.failedRefundsHint}</p>
      <Listing list={list}>
        {({ topUp, at, cameBack, amount, credits, reason }) => (
          <li key={`${topUp.id} ${at}`}>
            <span>
              <Purchase topUp={topUp} />
              <small>
                <Instant at={at} /> · {cameBack ? words.refundCameBack : words.refundRefused}
                {reason && <> · {reason}</>}
              </small>
            </span>
            <Money {...amount} />
            {permissions.has("REFUND_TOP_UPS") && (
              <Refunding topUpId={topUp.id} credits={credits} reason={reason} onDone={list.refresh} />
            )}
          </li>
        )}
      </Listing>
    </Card>
  );
}

interface RefundingProps {
  topUpId: string;
  /** Those of the refund that failed; null if its money came back. */
  credits: string | null;
  reason: string | null;
  onDone: () => void;
}

/** Refunds a top-up once more. Without a number, all that can be refunded. */
function Refunding({ topUpId, credits, reason, onDone }: RefundingProps): ReactNode {
  const { client, words } = usePlace();
  const texts = useTexts({ credits: credits ?? "", reason: reason ?? "" });
  const refund = useAction(async () => {
    const { credits, reason } = texts.values;
    await client.mutate(REFUND, { input: { topUpId, credits: credits.trim() || null, reason } });
    onDone();
  });
  return (
    <form
      className="console-inline"
      onSubmit={(event) => {
        event.preventDefault();
        void refund.run();
      }}
    >
      <TextField label={words.refundCredits} {...texts.of("credits")} inputMode="decimal" pattern="\d+(\.\d{1,4})?" />
      <TextField label={words.refundReason} {...texts.of("reason")} required maxLength={500} />
      <button type="submit" disabled={refund.isBusy}>
        {words.refundAgain}
      </button>
      {refund.isDone && <p role="status">{words.refundSent}</p>}
      <Refusal error={refund.error} />
    </form>
  );
}

function Webhooks(): ReactNode {
  const { client, permissions, words } = usePlace();
  const list = usePages("webhooks", PAGE, async (first, after) => {
    return (await client.query(WEBHOOKS, { first, after })).parkedWebhooks;
  });
  const retry = useAction(async (eventId: string) => {
    await client.mutate(RETRY, { input: { eventId } });
    list.refresh();
  });
  return (
    <Card title={words.parkedWebhooks}>
      <p className="console-hint">{words.parkedWebhooksHint}</p>
      <Refusal error={retry.error} />
      <Listing list={list}>
        {({ eventId, kind, objectId, reason, tries, receivedAt }) => (
          <li key={eventId}>
            <span>
              <strong>{kind}</strong> <code>{objectId}</code>
              <small>
                <Instant at={receivedAt} /> · {words.triesCount(tries)} · {reason}
              </small>
            </span>
            {permissions.has("MANAGE_CREDITS") && (
              <button
                type="button"
                aria-label={`${words.retryWebhook}: ${eventId}`}
                disabled={retry.isBusy}
                onClick={() => void retry.run(eventId)}
              >
                {words.retryWebhook}
              </button>
            )}
          </li>
        )}
      </Listing>
    </Card>
  );
}
