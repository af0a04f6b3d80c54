import { useAction, type Action } from "@ledgerbell/react";
import type { ReactNode } from "react";

import { Form, TextField, useTexts } from "./form.js";
import { Oidc } from "./oidc.js";
import { Refusal } from "./parts.js";
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
export function SignIn({ settings, words, error, onSignIn }: SignInProps): ReactNode {
  const action = useAction(async (signIn: () => Promise<Session>) => onSignIn(await signIn()));
  const { isBusy } = action;
  const { demo, oidc } = settings;
  return (
    <main className="lb console-sign-in">
      <h1>{words.name}</h1>
      <Refusal error={action.error ?? (isBusy ? null : error)} />
      {demo && (
        <section aria-label={words.signInDemo}>
          <p>{words.signInDemo}</p>
          {demo.people.map(({ role, name }) => (
            <button key={role} type="button" disabled={isBusy} onClick={() => void action.run(() => signInAs(role))}>
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
          onClick={() => void action.run(() => new Oidc(oidc).leave())}
        >
          {words.signInIssuer}
        </button>
      )}
      {!demo && <ByKey words={words} action={action} />}
    </main>
  );
}

function ByKey({ words, action }: { words: Words; action: Action<[() => Promise<Session>]> }): ReactNode {
  const texts = useTexts({ key: "" });
  const key = texts.values.key.trim();
  // Why it was refused is shown above.
  const signIn = { ...action, error: null, run: () => action.run(() => Promise.resolve(signInByKey(key))) };
  return (
    <Form action={signIn} label={words.signIn} isDisabled={!key} isPlain>
      <TextField label={words.signInKey} hint={words.keyHint} {...texts.of("key")} type="password" autoComplete="off" />
    </Form>
  );
}
