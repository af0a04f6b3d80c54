// How the API is called, with credentials in the demo.
import { useAction } from "@ledgerbell/react";
import { useState, type ReactNode } from "react";

import { Card, Refusal } from "../parts.js";
import { usePlace } from "../place.js";
import { borrow } from "../session.js";

const QUERY = "{ account { balance { posted held available } } }";

/** The address of the API, a first query, and in the demo credentials for it. */
export function ApiHelp(): ReactNode {
  const { settings, words } = usePlace();
  const address = `${location.origin}/graphql`;
  const command = [
    `curl ${address}`,
    "-H 'content-type: application/json'",
    `-H "authorization: Bearer $TOKEN"`,
    `-d '${JSON.stringify({ query: QUERY })}'`,
  ].join(" \\\n  ");
  return (
    <Card title={words.helpApi}>
      <h3>{words.apiAddress}</h3>
      <Copied text={address} />
      <h3>{words.apiFirst}</h3>
      <Copied text={command} />
      {settings.demo && <Credentials people={settings.demo.people} />}
      {settings.explorer && (
        <p className="console-foot">
          <a href="/graphiql">{words.explorer}</a> · <small>{words.apiMore}</small>
        </p>
      )}
    </Card>
  );
}

/** A text to copy. */
function Copied({ text }: { text: string }): ReactNode {
  const { words } = usePlace();
  const copy = useAction(() => navigator.clipboard.writeText(text));
  return (
    <div className="console-copied">
      <pre tabIndex={0}>{text}</pre>
      <button type="button" onClick={() => void copy.run()}>
        {copy.isDone ? words.apiCopied : words.apiCopy}
      </button>
      <Refusal error={copy.error} />
    </div>
  );
}

function Credentials({ people }: { people: readonly { role: string; name: string }[] }): ReactNode {
  const { words } = usePlace();
  const [credential, setCredential] = useState<string | null>(null);
  const show = useAction(async (role: string) => setCredential(await borrow(role)));
  return (
    <>
      <h3>{words.apiTokens}</h3>
      <p className="console-hint">{words.apiTokensHint}</p>
      <div className="console-buttons">
        {people.map(({ role, name }) => (
          <button key={role} type="button" disabled={show.isBusy} onClick={() => void show.run(role)}>
            {name} · {words.roles[role] ?? role}
          </button>
        ))}
      </div>
      {credential && <Copied key={credential} text={credential} />}
      <Refusal error={show.error} />
    </>
  );
}
