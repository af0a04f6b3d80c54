// Signs in a user, and then shows the console.
import { useEffect, useState, type ReactNode } from "react";

import { usePreferences } from "./preferences.js";
import { asError } from "./query.js";
import { begin, readSettings, type Session, type Settings } from "./session.js";
import { Shell } from "./shell.js";
import { SignIn } from "./signIn.js";
import { wordsOf } from "./words.js";

interface Begun {
  settings: Settings | null;
  session: Session | null;
  error: Error | null;
}

async function start(): Promise<Begun> {
  let settings: Settings | null = null;
  try {
    settings = await readSettings();
    return { settings, session: await begin(settings), error: null };
  } catch (reason) {
    return { settings, session: null, error: asError(reason) };
  }
}

/** Runs once per page, however often React mounts the component: a code works only once. */
let begun: Promise<Begun> | null = null;

export function App(): ReactNode {
  const preferences = usePreferences();
  const words = wordsOf(preferences.language);
  const [state, setState] = useState<Begun | null>(null);
  useEffect(() => {
    let isCurrent = true;
    void (begun ??= start()).then((begun) => isCurrent && setState(begun));
    return () => {
      isCurrent = false;
    };
  }, []);
  if (!state)
    return (
      <p className="console-wait" role="status">
        {words.loading}
      </p>
    );
  const { settings, session, error } = state;
  if (!settings)
    return (
      <p className="console-wait" role="alert">
        {words.failed} {error?.message}
      </p>
    );
  if (!session)
    return (
      <SignIn
        settings={settings}
        words={words}
        error={error}
        onSignIn={(session) => setState({ settings, session, error: null })}
      />
    );
  return (
    <Shell
      settings={settings}
      session={session}
      preferences={preferences}
      onSignOut={() => {
        void session.signOut().finally(() => setState({ settings, session: null, error: null }));
      }}
    />
  );
}
