// What several components show in the same way.
import type { ReactNode } from "react";

import { useLedgerbell } from "./provider.js";

/** Why something is not shown or not up to date, and what can be done. */
export function Trouble({ error, live, retry }: { error: Error | null; live: string; retry: () => void }): ReactNode {
  const { words } = useLedgerbell();
  if (error)
    return (
      <div className="lb-trouble" role="alert">
        <p>
          {words.failed} {error.message}
        </p>
        <button type="button" onClick={retry}>
          {words.again}
        </button>
      </div>
    );
  if (live !== "offline") return null;
  return (
    <p className="lb-trouble" role="status">
      {words.offline}
    </p>
  );
}
