// Hooks for notification settings.
import type { VariablesOf } from "@ledgerbell/client/graphql";
import { useMemo } from "react";

import { SAVE_CONTACT, SAVE_SETTINGS, SEND_CODE, SEND_TEST, VERIFY } from "./documents/settings.js";
import type { Followed, MySettings, Settings } from "./model.js";
import { useLedgerbell } from "./provider.js";
import { useResource } from "./resource.js";
import { settingsOf } from "./sources.js";

type Preference = NonNullable<VariablesOf<typeof SAVE_SETTINGS>["input"]["preferences"]>[number];
type Kind = Preference["kind"];
type Channel = Preference["channel"];

/** Changes of the contact. Fields that are left out stay. */
export interface ContactChange {
  email?: string | null;
  locale?: string;
  timezone?: string;
}

/** The member's settings, and their actions. Each action rejects with the reason if it is refused. */
export interface SettingsHook extends Followed<MySettings> {
  refresh: () => void;
  /**
   * Switches one kind of alert by one channel; null restores the default. Shown at once, and undone if it is refused.
   */
  setPreference: (kind: string, channel: string, enabled: boolean | null) => Promise<void>;
  setQuietHours: (hours: { start: string; end: string } | null) => Promise<void>;
  /** Null uses the trigger of auto top-up. */
  setThreshold: (credits: string | null) => Promise<void>;
  saveContact: (change: ContactChange) => Promise<void>;
  /** Mails a code to the address. */
  sendCode: () => Promise<void>;
  /** Verifies an address by its code: the member's own, or that of another member who has passed the code on. */
  verify: (code: string, memberId?: string) => Promise<void>;
  sendTest: (channel: "EMAIL" | "IN_APP") => Promise<void>;
}

/** Returns the settings of the member who is signed in. */
export function useNotificationSettings(): SettingsHook {
  const { client } = useLedgerbell();
  const resource = settingsOf(client);
  const state = useResource(resource);
  const actions = useMemo(() => {
    /** Switches that were changed but are not confirmed yet. */
    const pressed = new Map<string, [kind: string, channel: string, enabled: boolean]>();
    const save = async (input: VariablesOf<typeof SAVE_SETTINGS>["input"]) => {
      const answer = (await client.mutate(SAVE_SETTINGS, { input }, { retry: true })).updateNotificationSettings;
      const settings = answer?.notificationSettings;
      if (!settings) return;
      resource.change((mine) => {
        const saved = { ...mine, settings: newer(mine.settings, settings) };
        return [...pressed.values()].reduce((all, [kind, channel, on]) => switched(all, kind, channel, on), saved);
      });
    };
    const putContact = (contact: MySettings["contact"] | null | undefined) => {
      if (contact) resource.change((mine) => ({ ...mine, contact }));
    };
    return {
      setPreference: async (kind: string, channel: string, enabled: boolean | null) => {
        const before = resource.getSnapshot().data?.settings;
        const was = before && cell(before, kind, channel)?.enabled;
        const name = `${kind} ${channel}`;
        if (enabled !== null) {
          pressed.set(name, [kind, channel, enabled]);
          resource.change((mine) => switched(mine, kind, channel, enabled));
        }
        const mine = pressed.get(name);
        const settle = () => pressed.get(name) === mine && pressed.delete(name);
        try {
          await save({ preferences: [{ kind: kind as Kind, channel: channel as Channel, enabled }] });
          settle();
        } catch (error) {
          if (settle() && was !== undefined) resource.change((mine) => switched(mine, kind, channel, was));
          throw error;
        }
      },
      setQuietHours: (quietHours: { start: string; end: string } | null) => save({ quietHours }),
      setThreshold: (lowBalanceThreshold: string | null) => save({ lowBalanceThreshold }),
      saveContact: async (input: ContactChange) =>
        putContact((await client.mutate(SAVE_CONTACT, { input }, { retry: true })).updateContact?.contact),
      sendCode: async () => {
        await client.mutate(SEND_CODE, { input: {} });
      },
      verify: async (code: string, memberId?: string) => {
        const input = { code, ...(memberId && { memberId }) };
        const { verifyContact } = await client.mutate(VERIFY, { input });
        const contact = verifyContact?.contact;
        if (contact?.id === resource.getSnapshot().data?.contact.id) putContact(contact);
      },
      sendTest: async (channel: "EMAIL" | "IN_APP") => {
        await client.mutate(SEND_TEST, { input: { channel } });
      },
    };
  }, [client, resource]);
  return useMemo(() => ({ ...state, ...actions }), [state, actions]);
}

function cell({ rows }: Settings, kind: string, channel: string) {
  return rows.find((row) => row.kind === kind)?.cells.find((cell) => cell.channel === channel);
}

/** Returns the newer settings: responses may arrive in another order than the changes. */
function newer(one: Settings, other: Settings): Settings {
  return other.version >= one.version ? other : one;
}

function switched(mine: MySettings, kind: string, channel: string, enabled: boolean): MySettings {
  const rows = mine.settings.rows.map((row) =>
    row.kind === kind
      ? { ...row, cells: row.cells.map((cell) => (cell.channel === channel ? { ...cell, enabled } : cell)) }
      : row,
  );
  return { ...mine, settings: { ...mine.settings, rows } };
}
