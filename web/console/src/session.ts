// Who is signed in. Credentials are in this module's memory alone: not in the address, not in any storage.
import { Oidc, type OidcSettings } from "./oidc.js";

/** What the server says before anyone has signed in. */
export interface Settings {
  version: string;
  demo: { accountId: string; people: { role: string; name: string }[]; isSignedIn: boolean } | null;
  oidc: OidcSettings | null;
  explorer: boolean;
}

/** Somebody who is signed in. */
export interface Session {
  /** What the demo calls them, where they are of the demo. */
  role: string | null;
  token: () => Promise<string>;
  signOut: () => Promise<void>;
}

interface Credential {
  token: string;
  role: string;
}

/** Reads {@link Settings}. */
export async function readSettings(): Promise<Settings> {
  const response = await fetch("/console/settings");
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return (await response.json()) as Settings;
}

async function ask(path: string, body: object, credentials: RequestCredentials = "same-origin"): Promise<Credential> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, credentials, body: JSON.stringify(body) });
  const answer = (await response.json()) as Credential & { message?: string };
  if (!response.ok) throw new Error(answer.message ?? `The server answered ${response.status}.`);
  return answer;
}

/** A session of the demo: its cookie gives the page the next credential, also after it was loaded again. */
function ofDemo(first: Credential): Session {
  let next: Credential | null = first;
  return {
    role: first.role,
    token: async () => {
      const { token } = next ?? (await ask("/console/token", {}));
      next = null;
      return token;
    },
    signOut: async () => {
      await fetch("/console/sign-out", { method: "POST" });
    },
  };
}

/** Signs in as one of the demo's people. */
export async function signInAs(role: string): Promise<Session> {
  return ofDemo(await ask("/console/sign-in", { role }));
}

/** A credential of one of the demo's people that leaves this browser's session as it is. */
export async function borrow(role: string): Promise<string> {
  return (await ask("/console/sign-in", { role }, "omit")).token;
}

/** Signs in with an API key, which is forgotten with the page. */
export function signInByKey(key: string): Session {
  return { role: null, token: () => Promise.resolve(key), signOut: () => Promise.resolve() };
}

/** The code of the demo's link, if the page was opened by it. It is removed from the address and its history. */
function takeCode(): string | null {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  if (code) history.replaceState(null, "", location.pathname);
  return code;
}

/**
 * The session that the page begins with: by the link's code, by the answer of the issuer, or the one from before it was loaded
 * again. Null when nobody is signed in. Throws where a link or an issuer did not sign in.
 */
export async function begin(settings: Settings): Promise<Session | null> {
  const code = takeCode();
  if (settings.demo) {
    if (code) return ofDemo(await ask("/console/sign-in", { code }));
    return settings.demo.isSignedIn ? ofDemo(await ask("/console/token", {})) : null;
  }
  return settings.oidc ? new Oidc(settings.oidc).resume() : null;
}
