// The frame: navigation, the current account, theme and language.
import { createLedgerbell, type Ledgerbell } from "@ledgerbell/client";
import { graphql } from "@ledgerbell/client/graphql";
import { Bell, LedgerbellProvider, Toasts } from "@ledgerbell/react";
import { useEffect, useMemo, useState, type ReactNode } from "react";

import { Choice } from "./form.js";
import { PlaceProvider, type Place } from "./place.js";
import type { Preferences, Theme } from "./preferences.js";
import { useRead } from "./query.js";
import { go, hrefOf, useRoute } from "./route.js";
import { PLATFORM_SCREENS, Screen, screensOf } from "./screens/index.js";
import type { Session, Settings } from "./session.js";
import { LANGUAGES, wordsOf, type Words } from "./words.js";

const VIEWER = graphql(`
  query ConsoleViewer {
    viewer {
      kind
      permissions
      member {
        name
        role
      }
      account {
        id
        name
      }
    }
  }
`);

interface ShellProps {
  settings: Settings;
  session: Session;
  preferences: Preferences;
  onSignOut: () => void;
}

export function Shell(props: ShellProps): ReactNode {
  const { session } = props;
  const [client, setClient] = useState<Ledgerbell | null>(null);
  useEffect(() => {
    const client = createLedgerbell({ url: "/graphql", token: session.token });
    setClient(client);
    return () => client.close();
  }, [session]);
  return client && <Console {...props} client={client} />;
}

function Console({
  settings,
  session,
  preferences,
  onSignOut,
  client,
}: ShellProps & { client: Ledgerbell }): ReactNode {
  const words = wordsOf(preferences.language);
  const route = useRoute();
  const viewer = useRead("viewer", () => client.query(VIEWER));
  const permissions = useMemo(() => new Set<string>(viewer.data?.viewer.permissions ?? []), [viewer.data]);
  if (!viewer.data)
    return (
      <p className="console-wait" role={viewer.error ? "alert" : "status"}>
        {viewer.error ? `${words.failed} ${viewer.error.message}` : words.loading}{" "}
        {viewer.error && (
          <button type="button" onClick={onSignOut}>
            {words.signOut}
          </button>
        )}
      </p>
    );
  const { member, account } = viewer.data.viewer;
  const isPlatform = account === null;
  const place: Place = {
    client,
    settings,
    accountId: isPlatform ? route.accountId : null,
    permissions,
    isPlatform,
    language: preferences.language,
    words,
  };
  const hasAccount = !isPlatform || place.accountId !== null;
  const screen = hasAccount || PLATFORM_SCREENS.includes(route.screen) ? route.screen : "accounts";
  const frame = (
    <div className="lb console">
      <Navigation place={place} screen={screen} />
      <div className="console-main">
        <header className="console-bar">
          <h1>{account?.name ?? (place.accountId ? <AccountName place={place} /> : words.platform)}</h1>
          <span className="console-who">
            {member?.name ?? words.roles.operator}
            {member && <small>{words.memberRole[member.role]}</small>}
          </span>
          {hasAccount && !isPlatform && <Bell onAction={() => go({ accountId: place.accountId, screen: "topups" })} />}
          <div className="console-choices">
            <Choices preferences={preferences} words={words} />
            <button type="button" onClick={onSignOut}>
              {words.signOut}
            </button>
          </div>
        </header>
        <main key={`${place.accountId ?? ""}/${screen}`} tabIndex={-1}>
          <Screen name={screen} />
        </main>
      </div>
      {hasAccount && !isPlatform && <Toasts onAction={() => go({ accountId: place.accountId, screen: "topups" })} />}
    </div>
  );
  return (
    <PlaceProvider value={place}>
      {hasAccount ? (
        <LedgerbellProvider
          key={`${session.role ?? ""}/${place.accountId ?? ""}`}
          client={client}
          accountId={place.accountId ?? undefined}
          locale={preferences.language}
          payments={settings.demo ? "simulated" : undefined}
        >
          {frame}
        </LedgerbellProvider>
      ) : (
        frame
      )}
    </PlaceProvider>
  );
}

const NAME = graphql(`
  query ConsoleAccountName($id: ID!) {
    account(id: $id) {
      id
      name
    }
  }
`);

function AccountName({ place: { client, accountId } }: { place: Place }): ReactNode {
  const read = useRead(`name/${accountId ?? ""}`, () => client.query(NAME, { id: accountId ?? "" }));
  return <>{read.data?.account?.name ?? accountId}</>;
}

function Navigation({ place, screen }: { place: Place; screen: string }): ReactNode {
  const { words, accountId, isPlatform, settings } = place;
  const link = (name: string, accountId: string | null) => (
    <li key={name}>
      <a href={hrefOf({ accountId, screen: name })} aria-current={screen === name ? "page" : undefined}>
        {words.screens[name]}
      </a>
    </li>
  );
  return (
    <nav className="console-nav" aria-label={words.menu}>
      <p className="console-brand">
        <img src="/favicon.svg" alt="" width="24" height="24" /> {words.name}
      </p>
      {isPlatform && <ul>{PLATFORM_SCREENS.map((name) => link(name, null))}</ul>}
      <ul>
        {(!isPlatform || accountId) && screensOf(place).map((name) => link(name, accountId))}
        {settings.explorer && (
          <li>
            <a href="/graphiql">{words.explorer}</a>
          </li>
        )}
      </ul>
    </nav>
  );
}

function Choices({ preferences, words }: { preferences: Preferences; words: Words }): ReactNode {
  return (
    <>
      <Choice
        label={words.theme}
        value={preferences.theme}
        onChange={(theme) => preferences.setTheme(theme as Theme)}
        options={Object.entries(words.themes)}
      />
      <Choice
        label={words.language}
        value={preferences.language}
        onChange={preferences.setLanguage}
        options={Object.entries(LANGUAGES).map(([tag, { name }]) => [tag, name])}
      />
    </>
  );
}
