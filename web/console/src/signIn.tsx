import { useState, type ReactNode } from "react";

import { Oidc } from "./oidc.js";
import { asError } from "./query.js";
import { signInAs, signInByKey, type Session, type Settings } from "./session.js";
import type { Words } from "./words.js";

interface SignInProps {
  settings: Settings;
  words: Words;
  /** Why a link or an issuer did not sign in. */
  error: Error | null;
  onSignIn: (session: Session) => void;
}

/** Shows the ways to sign in that this server supports. */
export function SignIn({ settings, words, error: given, onSignIn }: SignInProps): ReactNode {
  const [error, setError] = useState(given);
  const [isBusy, setIsBusy] = useState(false);
  const attempt = (signIn: () => Promise<Session>) => {
    setIsBusy(true);
    setError(null);
    signIn()
      .then(onSignIn, (reason: unknown) => setError(asError(reason)))
      .finally(() => setIsBusy(false));
  };
  const { demo, oidc } = settings;
  return (
    <main className="lb console-sign-in">
      <h1>{words.name}</h1>
      {error && (
        <p className="lb-refused" role="alert">
          {error.message}
        </p>
      )}
      {demo && (
        <section aria-label={words.signInDemo}>
          <p>{words.signInDemo}</p>
          {demo.people.map(({ role, name }) => (
            <button key={role} type="button" disabled={isBusy} onClick={() => attempt(() => signInAs(role))}>
              <strong>
                {name} · {words.roles[role] ?? role}
              </strong>
              <small>{words.roleHints[role]}</small>
            </button>
          ))}
        </section>
      )}
      {oidc && (
        <button
          type="button"
          className="lb-primary"
          disabled={isBusy}
          onClick={() => attempt(() => new Oidc(oidc).leave())}
        >
          {words.signInIssuer}
        </button>
      )}
      {!demo && (
        <ByKey words={words} isBusy={isBusy} onKey={(key) => attempt(() => Promise.resolve(signInByKey(key)))} />
      )}
    </main>
  );
}

function ByKey({ words, isBusy, onKey }: { words: Words; isBusy: boolean; onKey: (key: string) => void }): ReactNode {
  const [key, setKey] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim()) onKey(key.trim());
      }}
    >
      <label className="lb-field">
        <span>{words.signInKey}</span>
        <input type="password" autoComplete="off" value={key} onChange={(event) => setKey(event.target.value)} />
        <small>{words.keyHint}</small>
      </label>
      <button type="submit" disabled={isBusy}>
        {words.signIn}
      </button>
    </form>
  );
}
