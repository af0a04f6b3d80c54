/** What the server reports to pages before sign-in. */
export interface Settings {
  version: string;
  demo: { accountId: string; people: { role: string; name: string }[] } | null;
}

/** Reads {@link Settings}. Without them, sign-in by a click is not possible. */
export async function readSettings(): Promise<Settings | null> {
  const response = await fetch("/console/settings");
  return response.ok ? ((await response.json()) as Settings) : null;
}

/** A credential, which exists only in this page's memory. */
interface Credential {
  token: string;
  expiresAt: string | null;
}

let role: string | null = null;
let credential: Credential | null = null;

/** Signs in as one of the demo's people, from the next operation on. Null signs out. */
export function signInAs(other: string | null): void {
  role = other;
  credential = null;
}

/** Returns the `Authorization` header of the signed-in user; empty if no user is signed in. */
export async function header(): Promise<string> {
  if (role === null) return "";
  const endsSoon = credential?.expiresAt && Date.parse(credential.expiresAt) - Date.now() < 60_000;
  if (!credential || endsSoon) {
    const response = await fetch("/console/sign-in", {
      method: "POST",
      // The request must not change the console's own session.
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ role }),
    });
    if (!response.ok) throw new Error(((await response.json()) as { message: string }).message);
    credential = (await response.json()) as Credential;
  }
  return `Bearer ${credential.token}`;
}
