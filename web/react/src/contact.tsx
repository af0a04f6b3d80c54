// The address for mail, and whether mail arrives.
import { useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import type { Contact } from "./model.js";
import { Badge, Done, Field, Refused } from "./parts.js";
import { useLedgerbell } from "./provider.js";
import { useNotificationSettings, type SettingsHook } from "./settings.js";
import { LANGUAGES } from "./words/index.js";

const TONES: Record<string, string> = { VERIFIED: "plus", UNVERIFIED: "warning", BOUNCING: "critical" };

/** The member's address, language and time zone, with the status of mail to it. */
export function ContactForm({ contact, mine }: { contact: Contact; mine: SettingsHook }): ReactNode {
  const { words } = useLedgerbell();
  const { emailStatus, bounceMessage } = contact;
  const [email, setEmail] = useState(contact.email ?? "");
  const [locale, setLocale] = useState(contact.locale);
  const [timezone, setTimezone] = useState(contact.timezone);
  const saving = useAction(mine.saveContact);
  const change = {
    ...(email.trim() !== (contact.email ?? "") && { email: email.trim() || null }),
    ...(locale !== contact.locale && { locale }),
    ...(timezone !== contact.timezone && { timezone }),
  };
  const languages = { ...LANGUAGES, [contact.locale]: LANGUAGES[contact.locale] ?? contact.locale };
  const hasChanged = Object.keys(change).length > 0;
  return (
    <div className="lb-part">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void saving.run(change);
        }}
      >
        <div className="lb-line">
          <h3>{words.contact}</h3>
          <Badge tone={TONES[emailStatus] ?? "muted"}>{words.emailStatus[emailStatus] ?? emailStatus}</Badge>
        </div>
        <div className="lb-fields">
          <Field label={words.email}>
            <input type="email" autoComplete="email" value={email} onChange={(event) => setEmail(event.target.value)} />
          </Field>
          <Field label={words.language}>
            <select value={locale} onChange={(event) => setLocale(event.target.value)}>
              {Object.entries(languages).map(([tag, name]) => (
                <option key={tag} value={tag}>
                  {name}
                </option>
              ))}
            </select>
          </Field>
          <Field label={words.timezone}>
            <Timezones value={timezone} onChange={setTimezone} />
          </Field>
        </div>
        {bounceMessage && <p className="lb-reason">{bounceMessage}</p>}
        {hasChanged && (
          <button type="submit" className="lb-primary" disabled={saving.isBusy}>
            {words.save}
          </button>
        )}
        <Refused error={saving.error} />
      </form>
      {!hasChanged && emailStatus !== "VERIFIED" && emailStatus !== "NONE" && <Verification mine={mine} />}
    </div>
  );
}

function Timezones({ value, onChange }: { value: string; onChange: (value: string) => void }): ReactNode {
  const all = new Set([value, ...Intl.supportedValuesOf("timeZone"), "UTC"]);
  return (
    <select value={value} onChange={(event) => onChange(event.target.value)}>
      {[...all].sort().map((name) => (
        <option key={name} value={name}>
          {name.replace(/_/g, " ")}
        </option>
      ))}
    </select>
  );
}

function Verification({ mine }: { mine: SettingsHook }): ReactNode {
  const { words } = useLedgerbell();
  const sending = useAction(mine.sendCode);
  return (
    <>
      <p className="lb-hint">{words.unverified}</p>
      <div className="lb-actions">
        <button type="button" disabled={sending.isBusy} onClick={() => void sending.run()}>
          {sending.isDone ? words.sendCodeAgain : words.sendCode}
        </button>
      </div>
      <Done when={sending.isDone}>{words.codeSent}</Done>
      <Refused error={sending.error} />
      {sending.isDone && <VerifyCode />}
    </>
  );
}

/** A form for the code that was mailed to the member, or to another member. */
export function VerifyCode({ memberId, onVerified }: { memberId?: string; onVerified?: () => void }): ReactNode {
  const { words } = useLedgerbell();
  const { verify } = useNotificationSettings();
  const [code, setCode] = useState("");
  const verifying = useAction(verify);
  return (
    <form
      className="lb-actions"
      onSubmit={(event) => {
        event.preventDefault();
        void verifying.run(code.trim(), memberId).then((isVerified) => isVerified && onVerified?.());
      }}
    >
      <Field label={words.code}>
        <input
          autoComplete="one-time-code"
          inputMode="numeric"
          required
          value={code}
          onChange={(event) => setCode(event.target.value)}
        />
      </Field>
      <button type="submit" className="lb-primary" disabled={verifying.isBusy || !code.trim()}>
        {words.verify}
      </button>
      <Refused error={verifying.error} />
    </form>
  );
}
