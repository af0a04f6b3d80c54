// Operations of operators on an account: freeze it, grant credits, correct the balance.
import { graphql } from "@ledgerbell/client/graphql";
import { useAction } from "@ledgerbell/react";
import { useState, type ReactNode } from "react";

import { Amount, Card, Instant, Reading, Refusal, Tag, UnitPrice, usePlace } from "../place.js";
import { useRead } from "../query.js";

const ACCOUNT = graphql(`
  query ConsoleAccount($account: ID) {
    account(id: $account) {
      id
      name
      externalId
      status
      frozenReason
      createdAt
      creditPrice {
        amount
        currency
      }
      balance {
        id
        posted
        held
        available
      }
    }
  }
`);

const FREEZE = graphql(`
  mutation ConsoleFreeze($input: FreezeAccountInput!) {
    freezeAccount(input: $input) {
      account {
        id
        status
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const UNFREEZE = graphql(`
  mutation ConsoleUnfreeze($input: UnfreezeAccountInput!) {
    unfreezeAccount(input: $input) {
      account {
        id
        status
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const GRANT = graphql(`
  mutation ConsoleGrant($input: GrantCreditsInput!) {
    grantCredits(input: $input) {
      entry {
        id
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const ADJUST = graphql(`
  mutation ConsoleAdjust($input: AdjustCreditsInput!) {
    adjustCredits(input: $input) {
      entry {
        id
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

export default function AccountScreen(): ReactNode {
  const { client, accountId, permissions, words } = usePlace();
  const read = useRead("account", () => client.query(ACCOUNT, { account: accountId }));
  const mayManage = permissions.has("MANAGE_ACCOUNTS");
  const mayCredit = permissions.has("MANAGE_CREDITS");
  return (
    <Reading read={read}>
      {({ account }) =>
        account && (
          <>
            <Card
              title={account.name}
              aside={
                <Tag tone={account.status === "ACTIVE" ? "plus" : "warning"}>
                  {words.accountStatus[account.status] ?? account.status}
                </Tag>
              }
            >
              <dl className="console-figures">
                <div>
                  <dt>{words.available}</dt>
                  <dd>
                    <Amount value={account.balance.available} />
                  </dd>
                </div>
                <div>
                  <dt>{words.price}</dt>
                  <dd>
                    <UnitPrice {...account.creditPrice} />
                  </dd>
                </div>
                <div>
                  <dt>{words.externalId}</dt>
                  <dd>{account.externalId ?? "–"}</dd>
                </div>
                <div>
                  <dt>{words.created}</dt>
                  <dd>
                    <Instant at={account.createdAt} />
                  </dd>
                </div>
              </dl>
              {account.frozenReason && (
                <p className="lb-trouble">
                  {words.frozenBecause} {account.frozenReason}
                </p>
              )}
              {mayManage && account.status !== "CLOSED" && (
                <Freezing id={account.id} isFrozen={account.status === "FROZEN"} onDone={read.refresh} />
              )}
            </Card>
            {mayCredit && (
              <div className="console-two">
                <Credits kind="grant" id={account.id} onDone={read.refresh} />
                <Credits kind="adjust" id={account.id} onDone={read.refresh} />
              </div>
            )}
          </>
        )
      }
    </Reading>
  );
}

function Freezing({ id, isFrozen, onDone }: { id: string; isFrozen: boolean; onDone: () => void }): ReactNode {
  const { client, words } = usePlace();
  const [reason, setReason] = useState("");
  const act = useAction(async () => {
    await (isFrozen
      ? client.mutate(UNFREEZE, { input: { accountId: id } })
      : client.mutate(FREEZE, { input: { accountId: id, reason } }));
    setReason("");
    onDone();
  });
  return (
    <form
      className="console-form"
      onSubmit={(event) => {
        event.preventDefault();
        void act.run();
      }}
    >
      {!isFrozen && (
        <label className="lb-field">
          <span>{words.reason}</span>
          <input required maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
      )}
      <button type="submit" disabled={act.isBusy}>
        {isFrozen ? words.unfreeze : words.freeze}
      </button>
      <Refusal error={act.error} />
    </form>
  );
}

/** A form for a grant, or for a correction up or down. */
function Credits({ kind, id, onDone }: { kind: "grant" | "adjust"; id: string; onDone: () => void }): ReactNode {
  const { client, words } = usePlace();
  const [amount, setAmount] = useState("");
  const [description, setDescription] = useState("");
  const act = useAction(async () => {
    await (kind === "grant"
      ? client.mutate(GRANT, { input: { accountId: id, credits: amount, description } })
      : client.mutate(ADJUST, { input: { accountId: id, amount, description } }));
    setAmount("");
    setDescription("");
    onDone();
  });
  return (
    <Card title={kind === "grant" ? words.grant : words.adjust}>
      <form
        className="console-form"
        onSubmit={(event) => {
          event.preventDefault();
          void act.run();
        }}
      >
        <label className="lb-field">
          <span>{kind === "grant" ? words.credits : words.amountSigned}</span>
          <input
            required
            inputMode="decimal"
            pattern={kind === "grant" ? "\\d+(\\.\\d{1,4})?" : "-?\\d+(\\.\\d{1,4})?"}
            value={amount}
            onChange={(event) => setAmount(event.target.value)}
          />
        </label>
        <label className="lb-field">
          <span>{words.description}</span>
          <input
            required
            maxLength={500}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
        </label>
        <button type="submit" className="lb-primary" disabled={act.isBusy}>
          {kind === "grant" ? words.grant : words.adjust}
        </button>
        <Refusal error={act.error} />
        {act.isDone && <p role="status">{words.done}</p>}
      </form>
    </Card>
  );
}
