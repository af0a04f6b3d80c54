import { graphql } from "@ledgerbell/client/graphql";
import { useAction } from "@ledgerbell/react";
import { useState, type ReactNode } from "react";

import { Card, More, Reading, Refusal, Tag, usePlace } from "../place.js";
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

const ADD = graphql(`
  mutation ConsoleAddMember($input: AddMemberInput!) {
    addMember(input: $input) {
      member {
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

const UPDATE = graphql(`
  mutation ConsoleUpdateMember($input: UpdateMemberInput!) {
    updateMember(input: $input) {
      member {
        id
        role
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`);

const REMOVE = graphql(`
  mutation ConsoleRemoveMember($input: RemoveMemberInput!) {
    removeMember(input: $input) {
      member {
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

const ROLES = ["OWNER", "ADMIN", "MEMBER"] as const;
const PAGE = 50;
type Role = (typeof ROLES)[number];

export default function Members(): ReactNode {
  const { client, accountId, permissions, isPlatform, words } = usePlace();
  const [search, setSearch] = useState("");
  const wanted = search.trim();
  const list = usePages(wanted, PAGE, async (first, after) => {
    const variables = { account: accountId, search: wanted || null, first, after };
    return (await client.query(MEMBERS, variables)).account?.members;
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
          <input
            type="search"
            aria-label={words.search}
            placeholder={words.search}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
        <Refusal error={change.error ?? remove.error} />
        <Reading read={list}>
          {(members) => (
            <ul className="console-list">
              {members.map((member) => (
                <li key={member.id}>
                  <span>
                    <strong>{member.name}</strong>
                    <small>{member.contact?.email ?? member.externalId}</small>
                  </span>
                  {mayManage ? (
                    <>
                      <select
                        aria-label={`${words.role}: ${member.name}`}
                        value={member.role}
                        disabled={change.isBusy}
                        onChange={(event) => void change.run(member.id, event.target.value as Role)}
                      >
                        {ROLES.map((role) => (
                          <option key={role} value={role}>
                            {words.memberRole[role]}
                          </option>
                        ))}
                      </select>
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
              ))}
            </ul>
          )}
        </Reading>
        {list.data?.length === 0 && <p className="lb-empty">{words.nothing}</p>}
        <More list={list} />
      </Card>
      {mayManage && isPlatform && <AddMember onAdded={list.refresh} />}
    </>
  );
}

/** The external id is the sign-in, so only the platform adds members by it. */
function AddMember({ onAdded }: { onAdded: () => void }): ReactNode {
  const { client, accountId, words } = usePlace();
  const [member, setMember] = useState({ name: "", externalId: "", email: "" });
  const [role, setRole] = useState<Role>("MEMBER");
  const add = useAction(async () => {
    const { name, externalId, email } = member;
    await client.mutate(ADD, { input: { accountId, name, externalId, email: email || null, role } });
    setMember({ name: "", externalId: "", email: "" });
    onAdded();
  });
  const field = (name: keyof typeof member, label: string, isRequired: boolean) => (
    <label className="lb-field">
      <span>{label}</span>
      <input
        required={isRequired}
        type={name === "email" ? "email" : "text"}
        value={member[name]}
        onChange={(event) => setMember({ ...member, [name]: event.target.value })}
      />
    </label>
  );
  return (
    <Card title={words.addMember}>
      <form
        className="console-form"
        onSubmit={(event) => {
          event.preventDefault();
          void add.run();
        }}
      >
        {field("name", words.memberName, true)}
        {field("externalId", words.externalId, true)}
        {field("email", words.email, false)}
        <label className="lb-field">
          <span>{words.role}</span>
          <select value={role} onChange={(event) => setRole(event.target.value as Role)}>
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {words.memberRole[role]}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" className="lb-primary" disabled={add.isBusy}>
          {words.add}
        </button>
      </form>
      <Refusal error={add.error} />
    </Card>
  );
}
