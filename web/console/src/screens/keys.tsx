import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";
import { useAction } from "@ledgerbell/react";
import { useState, type ReactNode } from "react";

import { Form, TextField, useTexts } from "../form.js";
import { Card, Instant, Reading, Refusal, Tag } from "../parts.js";
import { usePlace } from "../place.js";
import { useRead } from "../query.js";

const KEYS = graphql(`
  query ConsoleKeys($account: ID) {
    account(id: $account) {
      id
      apiKeys {
        id
        name
        prefix
        side
        permissions
        createdAt
        lastUsedAt
        expiresAt
        revokedAt
        createdBy {
          label
        }
      }
    }
  }
`);

const CREATE = graphql(
  `
    mutation ConsoleCreateKey($input: CreateApiKeyInput!) {
      createApiKey(input: $input) {
        apiKey {
          id
        }
        secret
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const REVOKE = graphql(
  `
    mutation ConsoleRevokeKey($input: RevokeApiKeyInput!) {
      revokeApiKey(input: $input) {
        apiKey {
          id
          revokedAt
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** The permissions of a key, in the order in which they are shown. */
const PERMISSIONS = [
  "READ_OWN_USAGE",
  "READ_CREDIT_LOG",
  "BUY_CREDITS",
  "MANAGE_SETTINGS",
  "MANAGE_MEMBERS",
  "MANAGE_API_KEYS",
  "BOOK_SESSIONS",
  "SETTLE_SESSIONS",
  "REFUND_TOP_UPS",
  "MANAGE_CREDITS",
  "MANAGE_ACCOUNTS",
] as const;
type Permission = (typeof PERMISSIONS)[number];

export default function Keys(): ReactNode {
  const { client, accountId, words } = usePlace();
  const read = useRead("keys", () => client.query(KEYS, { account: accountId }));
  const revoke = useAction(async (apiKeyId: string, name: string) => {
    if (!confirm(words.keyRevokeSure(name))) return;
    await client.mutate(REVOKE, { input: { apiKeyId } });
    read.refresh();
  });
  return (
    <>
      <Card title={words.screens.keys ?? ""}>
        <Refusal error={revoke.error} />
        <Reading read={read}>
          {({ account }) =>
            account?.apiKeys?.length ? (
              <ul className="console-list">
                {account.apiKeys.map((key) => (
                  <li key={key.id}>
                    <details>
                      <summary>
                        <strong>{key.name}</strong> <code>{key.prefix}…</code>{" "}
                        {key.revokedAt && <Tag tone="warning">{words.keyRevoked}</Tag>}
                      </summary>
                      <small>
                        {words.created} <Instant at={key.createdAt} />
                        {key.createdBy && <> ({key.createdBy.label})</>}, {words.keyUsed}{" "}
                        {key.lastUsedAt ? <Instant at={key.lastUsedAt} /> : words.never}
                        {key.expiresAt && (
                          <>
                            , {words.expires} <Instant at={key.expiresAt} />
                          </>
                        )}
                      </small>
                      <ul>
                        {key.permissions.map((permission) => (
                          <li key={permission}>{words.permissions[permission] ?? permission}</li>
                        ))}
                      </ul>
                    </details>
                    {!key.revokedAt && (
                      <button
                        type="button"
                        aria-label={`${words.keyRevoke}: ${key.name}`}
                        onClick={() => void revoke.run(key.id, key.name)}
                      >
                        {words.keyRevoke}
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            ) : (
              <p className="lb-empty">{words.nothing}</p>
            )
          }
        </Reading>
      </Card>
      <MakeKey onMade={read.refresh} />
    </>
  );
}

function MakeKey({ onMade }: { onMade: () => void }): ReactNode {
  const { client, accountId, permissions, words } = usePlace();
  const texts = useTexts({ name: "" });
  const [chosen, setChosen] = useState<ReadonlySet<Permission>>(new Set(["READ_CREDIT_LOG"]));
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAction(async () => {
    setSecret(null);
    const input = { accountId, name: texts.values.name, permissions: [...chosen] };
    const { createApiKey } = await client.mutate(CREATE, { input });
    setSecret(createApiKey?.secret ?? null);
    texts.reset();
    onMade();
  });
  const toggle = (permission: Permission) => {
    const next = new Set(chosen);
    if (!next.delete(permission)) next.add(permission);
    setChosen(next);
  };
  return (
    <Card title={words.keyMake}>
      <Form action={action} label={words.keyMake} isDisabled={chosen.size === 0}>
        <TextField label={words.keyName} {...texts.of("name")} required />
        <fieldset>
          <legend>{words.keyRights}</legend>
          {PERMISSIONS.filter((permission) => permissions.has(permission)).map((permission) => (
            <label key={permission} className="console-check">
              <input type="checkbox" checked={chosen.has(permission)} onChange={() => toggle(permission)} />
              <span>
                {words.permissions[permission]} <code>{permission}</code>
              </span>
            </label>
          ))}
        </fieldset>
      </Form>
      {secret && (
        <p className="lb-trouble" role="status">
          {words.keySecret}
          <br />
          <code className="console-secret">{secret}</code>
        </p>
      )}
    </Card>
  );
}
