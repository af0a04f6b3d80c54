// The filters of the credit log.
import { useEffect, useId, useState, type ReactNode } from "react";

import { MEMBERS } from "./documents/log.js";
import { Field } from "./parts.js";
import { useLedgerbell } from "./provider.js";
import { useTyped } from "./typed.js";
import { NO_CHOICE, type LogChoice } from "./url.js";

type Change = (part: Partial<LogChoice>, isTyped?: boolean) => void;

interface Props {
  choice: LogChoice;
  change: Change;
}

/** The search field, a panel with all other filters, and the active ones. */
export function LogFilters({ choice, change }: Props): ReactNode {
  const { words } = useLedgerbell();
  const [isOpen, setOpen] = useState(false);
  const members = useMembers(isOpen || choice.member.length > 0);
  const id = useId();
  const inForce = chipsOf(choice, words, members);
  return (
    <form
      role="search"
      aria-label={words.creditLog}
      className="lb-filters"
      onSubmit={(event) => event.preventDefault()}
    >
      <div className="lb-searchline">
        <Typed label={words.search} type="search" value={choice.q} onChange={(q) => change({ q }, true)} isBare />
        <button type="button" aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
          {words.filters}
          {inForce.length > 0 && <span className="lb-count">{inForce.length}</span>}
        </button>
      </div>
      <div id={id} hidden={!isOpen} className="lb-panelbox">
        {isOpen && <Panel choice={choice} change={change} members={members} />}
      </div>
      {inForce.length > 0 && (
        <div className="lb-chips" role="group" aria-label={words.filters}>
          {inForce.map(({ name, label, without }) => (
            <button key={name} type="button" aria-label={words.without(label)} onClick={() => change(without)}>
              {label} <span aria-hidden="true">×</span>
            </button>
          ))}
          <button type="button" className="lb-quiet" onClick={() => change({ ...NO_CHOICE, q: choice.q })}>
            {words.clear}
          </button>
        </div>
      )}
    </form>
  );
}

type Words = ReturnType<typeof useLedgerbell>["words"];
type Members = readonly { id: string; name: string }[];

interface Chip {
  name: string;
  label: string;
  without: Partial<LogChoice>;
}

function chipsOf(choice: LogChoice, words: Words, members: Members): Chip[] {
  const { kind, dir, member, by, from, to, min, max, session, topup } = choice;
  const chips: Chip[] = [];
  const add = (name: string, label: string, without: Partial<LogChoice>) => chips.push({ name, label, without });
  for (const one of kind) add(one, words.kinds[one] ?? one, { kind: kind.filter((other) => other !== one) });
  if (dir) add("dir", dir === "ADDED" ? words.added : words.deducted, { dir: "" });
  for (const one of member) {
    const name = members.find(({ id }) => id === one)?.name ?? one;
    add(one, name, { member: member.filter((other) => other !== one) });
  }
  for (const one of by) add(one, words.actors[one] ?? one, { by: by.filter((other) => other !== one) });
  if (from) add("from", `${words.from} ${from}`, { from: "" });
  if (to) add("to", `${words.until} ${to}`, { to: "" });
  if (min) add("min", `≥ ${min}`, { min: "" });
  if (max) add("max", `≤ ${max}`, { max: "" });
  if (session) add("session", words.oneSession, { session: "" });
  if (topup) add("topup", words.oneTopUp, { topup: "" });
  return chips;
}

function Panel({ choice, change, members }: Props & { members: Members }): ReactNode {
  const { words } = useLedgerbell();
  return (
    <div className="lb-fields">
      <Field label={words.direction}>
        <select value={choice.dir} onChange={(event) => change({ dir: event.target.value })}>
          <option value="">{words.all}</option>
          <option value="ADDED">{words.added}</option>
          <option value="DEDUCTED">{words.deducted}</option>
        </select>
      </Field>
      {members.length > 0 && (
        <Field label={words.who}>
          <select
            value={choice.member[0] ?? ""}
            onChange={(event) => change({ member: event.target.value ? [event.target.value] : [] })}
          >
            <option value="">{words.all}</option>
            {members.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </Field>
      )}
      <Field label={words.from}>
        <input type="date" value={choice.from} onChange={(event) => change({ from: event.target.value })} />
      </Field>
      <Field label={words.until}>
        <input type="date" value={choice.to} onChange={(event) => change({ to: event.target.value })} />
      </Field>
      <Typed label={words.atLeast} inputMode="decimal" value={choice.min} onChange={(min) => change({ min }, true)} />
      <Typed label={words.atMost} inputMode="decimal" value={choice.max} onChange={(max) => change({ max }, true)} />
      <Choices legend={words.kind} names={words.kinds} chosen={choice.kind} onChange={(kind) => change({ kind })} />
      <Choices legend={words.actor} names={words.actors} chosen={choice.by} onChange={(by) => change({ by })} />
    </div>
  );
}

function Choices({
  legend,
  names,
  chosen,
  onChange,
}: {
  legend: string;
  names: Record<string, string>;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}): ReactNode {
  return (
    <fieldset className="lb-choices">
      <legend>{legend}</legend>
      {Object.entries(names).map(([name, label]) => (
        <label key={name} className="lb-check">
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            onChange={(event) =>
              onChange(event.target.checked ? [...chosen, name] : chosen.filter((other) => other !== name))
            }
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

/** A text field that reports its value when typing pauses. */
function Typed({
  label,
  value,
  onChange,
  isBare = false,
  ...more
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  isBare?: boolean;
  type?: "search";
  inputMode?: "decimal";
}): ReactNode {
  const typed = useTyped(value, onChange);
  const input = <input {...more} {...typed} {...(isBare && { "aria-label": label, placeholder: label })} />;
  return isBare ? input : <Field label={label}>{input}</Field>;
}

/** Returns the members of the team, if the viewer may see them. */
function useMembers(isWanted: boolean): Members {
  const { client, accountId } = useLedgerbell();
  const [members, setMembers] = useState<Members>([]);
  useEffect(() => {
    if (!isWanted) return;
    let isHere = true;
    client.query(MEMBERS, { id: accountId }).then(
      ({ account }) => isHere && setMembers(account?.members?.nodes ?? []),
      // Without names, the other filters still work.
      () => {},
    );
    return () => {
      isHere = false;
    };
  }, [client, accountId, isWanted]);
  return members;
}
