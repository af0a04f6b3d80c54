import { useId, useState, type ReactNode } from "react";

import { useAction } from "./actions.js";
import { ContactForm } from "./contact.js";
import type { Settings, SettingsCell, SettingsRow } from "./model.js";
import { Done, Field, Refused, Section } from "./parts.js";
import { useLedgerbell } from "./provider.js";
import { useNotificationSettings, type SettingsHook } from "./settings.js";

const CHANNELS = ["EMAIL", "IN_APP"] as const;

/**
 * Which alerts reach the member by which channel, the quiet hours of mail, the address, and a test of both channels.
 */
export function NotificationSettings(): ReactNode {
  const { words } = useLedgerbell();
  const mine = useNotificationSettings();
  const { data } = mine;
  return (
    <Section name="settings" title={words.settings} state={mine}>
      {data && (
        <>
          <ContactForm key={data.contact.version} contact={data.contact} mine={mine} />
          <Matrix settings={data.settings} mine={mine} />
          <QuietHours key={`quiet ${JSON.stringify(data.settings.quietHours)}`} settings={data.settings} mine={mine} />
          <Threshold key={`low ${data.settings.lowBalanceThreshold ?? ""}`} settings={data.settings} mine={mine} />
          <Tests mine={mine} />
        </>
      )}
    </Section>
  );
}

interface Props {
  settings: Settings;
  mine: SettingsHook;
}

function Matrix({ settings, mine }: Props): ReactNode {
  const { words } = useLedgerbell();
  const switching = useAction(mine.setPreference);
  const groups = new Map<string, SettingsRow[]>();
  for (const row of settings.rows) groups.set(row.groupTitle, [...(groups.get(row.groupTitle) ?? []), row]);
  const lock = useId();
  const isLocked = settings.rows.some(({ cells }) => cells.some((cell) => cell.locked));
  return (
    <div className="lb-part">
      <table className="lb-matrix">
        <caption className="lb-hidden">{words.settings}</caption>
        <thead>
          <tr>
            <th scope="col">
              <span className="lb-hidden">{words.what}</span>
            </th>
            {CHANNELS.map((channel) => (
              <th key={channel} scope="col">
                {words.channel[channel]}
              </th>
            ))}
          </tr>
        </thead>
        {[...groups].map(([title, rows]) => (
          <tbody key={title}>
            <tr>
              <th colSpan={3} scope="rowgroup" className="lb-group">
                {title}
              </th>
            </tr>
            {rows.map((row) => (
              <tr key={row.kind}>
                <th scope="row">
                  {row.title}
                  <small>{row.description}</small>
                </th>
                {CHANNELS.map((channel) => {
                  const cell = row.cells.find((cell) => cell.channel === channel);
                  return (
                    <td key={channel}>
                      {cell && (
                        <Switch
                          cell={cell}
                          lock={lock}
                          onChange={(enabled) => void switching.run(row.kind, channel, enabled)}
                        />
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
      {isLocked && (
        <p id={lock} className="lb-hint">
          <Lock /> {words.locked}
        </p>
      )}
      <Refused error={switching.error} />
    </div>
  );
}

function Lock(): ReactNode {
  return (
    <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
      <path d="M4 7V5a4 4 0 0 1 8 0v2h1v8H3V7Zm2 0h4V5a2 2 0 0 0-4 0Z" fill="currentColor" />
    </svg>
  );
}

function Switch({
  cell,
  lock,
  onChange,
}: {
  cell: SettingsCell;
  lock: string;
  onChange: (enabled: boolean) => void;
}): ReactNode {
  const { enabled, locked, label } = cell;
  return (
    <span className="lb-cell" title={locked ? label : undefined}>
      <input
        type="checkbox"
        role="switch"
        className="lb-switch"
        aria-label={label}
        aria-describedby={locked ? lock : undefined}
        checked={enabled}
        disabled={locked}
        onChange={(event) => onChange(event.target.checked)}
      />
      {locked && <Lock />}
    </span>
  );
}

const NIGHT = { start: "22:00", end: "07:00" };

function QuietHours({ settings, mine }: Props): ReactNode {
  const { words } = useLedgerbell();
  const { quietHours } = settings;
  const [hours, setHours] = useState(quietHours ?? NIGHT);
  const [isOn, setOn] = useState(quietHours !== null);
  const saving = useAction(mine.setQuietHours);
  const wanted = isOn ? hours : null;
  const hasChanged = JSON.stringify(wanted) !== JSON.stringify(quietHours);
  return (
    <form
      className="lb-part"
      onSubmit={(event) => {
        event.preventDefault();
        void saving.run(wanted);
      }}
    >
      <fieldset>
        <legend>{words.quietHours}</legend>
        <p className="lb-hint">{words.quietHint}</p>
        <label className="lb-check">
          <input
            type="checkbox"
            role="switch"
            className="lb-switch"
            checked={isOn}
            onChange={(event) => setOn(event.target.checked)}
          />
          {words.quietOn}
        </label>
        {isOn && (
          <div className="lb-fields">
            {(["start", "end"] as const).map((end) => (
              <Field key={end} label={end === "start" ? words.from : words.until}>
                <input
                  type="time"
                  required
                  value={hours[end]}
                  onChange={(event) => setHours({ ...hours, [end]: event.target.value })}
                />
              </Field>
            ))}
          </div>
        )}
        {hasChanged && (
          <button type="submit" className="lb-primary" disabled={saving.isBusy}>
            {words.save}
          </button>
        )}
      </fieldset>
      <Refused error={saving.error} />
    </form>
  );
}

function Threshold({ settings, mine }: Props): ReactNode {
  const { words } = useLedgerbell();
  const { lowBalanceThreshold } = settings;
  const [credits, setCredits] = useState(lowBalanceThreshold ?? "");
  const saving = useAction(mine.setThreshold);
  return (
    <form
      className="lb-part"
      onSubmit={(event) => {
        event.preventDefault();
        void saving.run(credits.trim() || null);
      }}
    >
      <div className="lb-fields">
        <Field label={words.threshold} hint={words.thresholdHint}>
          <input inputMode="decimal" value={credits} onChange={(event) => setCredits(event.target.value)} />
        </Field>
      </div>
      {credits.trim() !== (lowBalanceThreshold ?? "") && (
        <button type="submit" className="lb-primary" disabled={saving.isBusy}>
          {words.save}
        </button>
      )}
      <Refused error={saving.error} />
    </form>
  );
}

function Tests({ mine }: { mine: SettingsHook }): ReactNode {
  const { words } = useLedgerbell();
  const testing = useAction(mine.sendTest);
  return (
    <div className="lb-part">
      <h3>{words.test}</h3>
      <p className="lb-hint">{words.testHint}</p>
      <div className="lb-actions">
        {CHANNELS.map((channel) => (
          <button key={channel} type="button" disabled={testing.isBusy} onClick={() => void testing.run(channel)}>
            {words.testBy[channel]}
          </button>
        ))}
      </div>
      <Done when={testing.isDone}>{words.testSent}</Done>
      <Refused error={testing.error} />
    </div>
  );
}
