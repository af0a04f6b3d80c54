import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";
import { Field, useAction, useUrlState } from "@ledgerbell/react";
import { useState, type ReactNode } from "react";

import { Choice, Filter, Form, TextField, useTexts } from "../form.js";
import { Card, Listing, Refusal, Tag } from "../parts.js";
import { usePlace } from "../place.js";
import { usePages } from "../query.js";

const MEMBERS = graphql(`
  query ConsoleMembers($account: ID, $search: String, $first: Int!, $after: String) {
    account(id: $account) {
      id
      members(search: $search, first: $first, after: $after) {
        nodes {
          id
          name
          role
          externalId
          contact {
            email
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

const ADD = graphql(
  `
    mutation ConsoleAddMember($input: AddMemberInput!) {
      addMember(input: $input) {
        member {
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

const UPDATE = graphql(
  `
    mutation ConsoleUpdateMember($input: UpdateMemberInput!) {
      updateMember(input: $input) {
        member {
          id
          role
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const REMOVE = graphql(
  `
    mutation ConsoleRemoveMember($input: RemoveMemberInput!) {
      removeMember(input: $input) {
        member {
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

const ROLES = ["OWNER", "ADMIN", "MEMBER"] as const;
const PAGE = 50;
type Role = (typeof ROLES)[number];

/** The filter, as it is in the address. */
const NOTHING = { q: "" };

export default function Members(): ReactNode {
  const { client, accountId, permissions, isPlatform, words } = usePlace();
  const [{ q }, choose] = useUrlState("members-", NOTHING);
  const list = usePages(q, PAGE, async (first, after) => {
    return (await client.query(MEMBERS, { account: accountId, search: q || null, first, after })).account?.members;
  });
  const mayManage = permissions.has("MANAGE_MEMBERS");
  const change = useAction(async (memberId: string, role: Role) => {
    await client.mutate(UPDATE, { input: { memberId, role } });
    list.refresh();
  });
  const remove = useAction(async (memberId: string, name: string) => {
    if (!confirm(words.removeSure(name))) return;
    await client.mutate(REMOVE, { input: { memberId } });
    list.refresh();
  });
  return (
    <>
      <Card title={words.screens.members ?? ""}>
        <div className="console-filters">
          <Filter label={words.search} value={q} onChange={(q) => choose({ q }, true)} />
        </div>
        <Refusal error={change.error ?? remove.error} />
        <Listing list={list}>
          {(member) => (
            <li key={member.id}>
              <span>
                <strong>{member.name}</strong>
                <small>{member.contact?.email ?? member.externalId}</small>
              </span>
              {mayManage ? (
                <>
                  <Choice
                    label={`${words.role}: ${member.name}`}
                    value={member.role}
                    isDisabled={change.isBusy}
                    onChange={(role) => void change.run(member.id, role as Role)}
                    options={ROLES.map((role) => [role, words.memberRole[role] ?? role])}
                  />
                  <button
                    type="button"
                    aria-label={`${words.remove}: ${member.name}`}
                    onClick={() => void remove.run(member.id, member.name)}
                  >
                    {words.remove}
                  </button>
                </>
              ) : (
                <Tag>{words.memberRole[member.role] ?? member.role}</Tag>
              )}
            </li>
          )}
        </Listing>
      </Card>
      {mayManage && isPlatform && <AddMember onAdded={list.refresh} />}
    </>
  );
}

/** The external id is the sign-in, so only the platform adds members by it. */
function AddMember({ onAdded }: { onAdded: () => void }): ReactNode {
  const { client, accountId, words } = usePlace();
  const texts = useTexts({ name: "", externalId: "", email: "" });
  const [role, setRole] = useState<Role>("MEMBER");
  const action = useAction(async () => {
    const { name, externalId, email } = texts.values;
    await client.mutate(ADD, { input: { accountId, name, externalId, email: email || null, role } });
    texts.reset();
    onAdded();
  });
  return (
    <Card title={words.addMember}>
      <Form action={action} label={words.add} done={words.done}>
        <TextField label={words.memberName} {...texts.of("name")} required />
        <TextField label={words.externalId} {...texts.of("externalId")} required />
        <TextField label={words.email} {...texts.of("email")} type="email" />
        <Field label={words.role}>
          <Choice
            label={words.role}
            value={role}
            onChange={(role) => setRole(role as Role)}
            options={ROLES.map((role) => [role, words.memberRole[role] ?? role])}
          />
        </Field>
      </Form>
    </Card>
  );
}
