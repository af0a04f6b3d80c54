import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./explorer.css";

import { GraphiQL } from "graphiql";
import { useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";

import { examples } from "./examples.js";
import { fetcher } from "./fetcher.js";
import { readSettings, signInAs, type Settings } from "./signIns.js";

/** Selects the user that operations are sent as, if this server allows sign-in by a click. */
function SignedInAs({ settings, initial }: { settings: Settings | null; initial: string | null }): ReactNode {
  const [role, setRole] = useState(initial);
  const people = settings?.demo?.people ?? [];
  if (people.length === 0) {
    return <span className="sign-in">Sign in by a header: {'{ "authorization": "Bearer …" }'}</span>;
  }
  return (
    <label className="sign-in">
      Signed in as{" "}
      <select
        value={role ?? ""}
        onChange={(event) => {
          const chosen = event.target.value || null;
          signInAs(chosen);
          setRole(chosen);
        }}
      >
        {people.map((person) => (
          <option key={person.role} value={person.role}>
            {person.name} ({person.role})
          </option>
        ))}
        <option value="">nobody: headers of your own</option>
      </select>
    </label>
  );
}

async function show(): Promise<void> {
  const settings = await readSettings().catch(() => null);
  const initial = settings?.demo?.people.some((person) => person.role === "operator") ? "operator" : null;
  signInAs(initial);
  const root = document.getElementById("root");
  if (!root) return;
  const tabs = examples(settings?.demo?.accountId ?? null);
  // GraphiQL ignores the variables of the first tab. It stores its tabs under this key.
  const isFirstVisit = localStorage.getItem("graphiql:tabState") === null;
  createRoot(root).render(
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={tabs}
      {...(isFirstVisit && tabs[0]?.variables ? { initialVariables: tabs[0].variables } : {})}
      defaultEditorToolsVisibility="variables"
      showPersistHeadersSettings={false}
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>
        <SignedInAs settings={settings} initial={initial} />
      </GraphiQL.Logo>
    </GraphiQL>,
  );
}

void show();
