// Freezes accounts, for operators and for the controls of the demo.
import type { Ledgerbell } from "@ledgerbell/client";
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

const FREEZE = graphql(
  `
    mutation ConsoleFreeze($input: FreezeAccountInput!) {
      freezeAccount(input: $input) {
        account {
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

const UNFREEZE = graphql(
  `
    mutation ConsoleUnfreeze($input: UnfreezeAccountInput!) {
      unfreezeAccount(input: $input) {
        account {
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

/** Freezes an account for a reason that its members read; without a reason, ends the freeze. */
export async function freeze(client: Ledgerbell, accountId: string, reason: string | null): Promise<void> {
  await (reason === null
    ? client.mutate(UNFREEZE, { input: { accountId } })
    : client.mutate(FREEZE, { input: { accountId, reason } }));
}
