import { useId, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { Time } from "./format.js";
import { useFindings } from "./hooks.js";
import type { Finding } from "./model.js";
import { VerifyCode } from "./contact.js";
import { Badge, Done, Refused, Section } from "./parts.js";
import { useLedgerbell } from "./provider.js";

/** The properties of {@link Findings}. */
export interface FindingsProps {
  /**
   * Called for a remedy that first needs a choice of the user, such as another card. Without it, only the help is
   * shown.
   */
  onChoose?: ((finding: Finding) => void) | undefined;
}

/** Problems of the account with their causes, and a button that fixes each. */
export function Findings({ onChoose }: FindingsProps): ReactNode {
  const { words } = useLedgerbell();
  const findings = useFindings();
  const { data, send } = findings;
  return (
    <Section name="findings" title={words.findings} state={findings}>
      {data?.length === 0 && <p className="lb-well">{words.noFindings}</p>}
      <ul className="lb-list">
        {data?.map((finding) => (
          <FindingView key={finding.id} finding={finding} send={send} onChoose={onChoose} />
        ))}
      </ul>
    </Section>
  );
}

const TONES: Record<string, string> = { CRITICAL: "critical", WARNING: "warning" };

function FindingView({
  finding,
  send,
  onChoose,
}: FindingsProps & { finding: Finding; send: (finding: Finding) => Promise<void> }): ReactNode {
  const { words } = useLedgerbell();
  const id = useId();
  const { severity, summary, cause, since, remedy } = finding;
  const sending = useAction(() => send(finding));
  const [isVerified, setVerified] = useState(false);
  const isCode = remedy.action === "SEND_CONTACT_VERIFICATION";
  const { memberId } = (remedy.variables as { input?: { memberId?: string } } | null)?.input ?? {};
  return (
    <li className={`lb-item lb-finding lb-${severity.toLowerCase()}`} aria-labelledby={id}>
      <div className="lb-line">
        <h3 id={id}>{summary}</h3>
        <Badge tone={TONES[severity] ?? "info"}>{words.severity[severity] ?? severity}</Badge>
      </div>
      <p>{cause}</p>
      <p className="lb-hint">{remedy.help}</p>
      <div className="lb-actions">
        {remedy.url ? (
          <a className="lb-button lb-primary" href={remedy.url} target="_blank" rel="noopener noreferrer">
            {remedy.label}
          </a>
        ) : remedy.mutation ? (
          <button
            type="button"
            className="lb-primary"
            aria-describedby={id}
            disabled={sending.isBusy}
            onClick={() => void sending.run()}
          >
            {sending.isBusy ? words.sending : remedy.label}
          </button>
        ) : (
          onChoose && (
            <button type="button" aria-describedby={id} onClick={() => onChoose(finding)}>
              {remedy.label}
            </button>
          )
        )}
        <small>
          {words.since} <Time at={since} />
        </small>
      </div>
      {isCode && sending.isDone && !isVerified && (
        <VerifyCode {...(memberId && { memberId })} onVerified={() => setVerified(true)} />
      )}
      <Done when={sending.isDone}>{isCode ? words.codeSent : words.sent}</Done>
      <Refused error={sending.error} />
    </li>
  );
}
