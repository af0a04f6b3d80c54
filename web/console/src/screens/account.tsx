// Operations of operators on an account: freeze it, grant credits, correct the balance.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";
import { useAction } from "@ledgerbell/react";
import type { ReactNode } from "react";

import { Form, TextField, useTexts } from "../form.js";
import { freeze } from "../freezing.js";
import { Amount, Card, Figures, Instant, Reading, Tag, UnitPrice } from "../parts.js";
import { usePlace } from "../place.js";
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

const GRANT = graphql(
  `
    mutation ConsoleGrant($input: GrantCreditsInput!) {
      grantCredits(input: $input) {
        entry {
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

const ADJUST = graphql(
  `
    mutation ConsoleAdjust($input: AdjustCreditsInput!) {
      adjustCredits(input: $input) {
        entry {
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
              <Figures
                figures={[
                  [words.available, <Amount value={account.balance.available} />],
                  [words.price, <UnitPrice {...account.creditPrice} />],
                  [words.externalId, account.externalId ?? "–"],
                  [words.created, <Instant at={account.createdAt} />],
                ]}
              />
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
  const texts = useTexts({ reason: "" });
  const action = useAction(async () => {
    await freeze(client, id, isFrozen ? null : texts.values.reason);
    texts.reset();
    onDone();
  });
  return (
    <Form action={action} label={isFrozen ? words.unfreeze : words.freeze} isPlain>
      {!isFrozen && <TextField label={words.reason} {...texts.of("reason")} required maxLength={500} />}
    </Form>
  );
}

/** A form for a grant, or for a correction up or down. */
function Credits({ kind, id, onDone }: { kind: "grant" | "adjust"; id: string; onDone: () => void }): ReactNode {
  const { client, words } = usePlace();
  const texts = useTexts({ amount: "", description: "" });
  const isGrant = kind === "grant";
  const action = useAction(async () => {
    const { amount, description } = texts.values;
    await (isGrant
      ? client.mutate(GRANT, { input: { accountId: id, credits: amount, description } })
      : client.mutate(ADJUST, { input: { accountId: id, amount, description } }));
    texts.reset();
    onDone();
  });
  return (
    <Card title={words[kind]}>
      <Form action={action} label={words[kind]} done={words.done}>
        <TextField
          label={isGrant ? words.credits : words.amountSigned}
          {...texts.of("amount")}
          required
          inputMode="decimal"
          pattern={isGrant ? "\\d+(\\.\\d{1,4})?" : "-?\\d+(\\.\\d{1,4})?"}
        />
        <TextField label={words.description} {...texts.of("description")} required maxLength={500} />
      </Form>
    </Card>
  );
}
