/** What the server says to pages before anyone has signed in. */
export interface Settings {
  version: string;
  demo: { accountId: string; people: { role: string; name: string }[] } | null;
}

/** Reads {@link Settings}. Without them nobody is signed in by a click. */
export async function readSettings(): Promise<Settings | null> {
  const response = await fetch("/console/settings");
  return response.ok ? ((await response.json()) as Settings) : null;
}

/** A credential, kept in this page's memory alone. */
interface Credential {
  token: string;
  expiresAt: string | null;
}

let role: string | null = null;
let credential: Credential | null = null;

/** Signs in as one of the demo's people from the next operation on; as nobody by null. */
export function signInAs(other: string | null): void {
  role = other;
  credential = null;
}

/** The `Authorization` of whom the page is signed in as; empty for nobody. */
export async function header(): Promise<string> {
  if (role === null) return "";
  const endsSoon = credential?.expiresAt && Date.parse(credential.expiresAt) - Date.now() < 60_000;
  if (!credential || endsSoon) {
    const response = await fetch("/console/sign-in", {
      method: "POST",
      // The console's own session is left as it is.
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ role }),
    });
    if (!response.ok) throw new Error(((await response.json()) as { message: string }).message);
    credential = (await response.json()) as Credential;
  }
  return `Bearer ${credential.token}`;
}
