// The signed-in user. Credentials exist only in this module's memory: not in the address, and not in any storage.
import { Oidc, type OidcSettings } from "./oidc.js";

/** What the server reports before sign-in. */
export interface Settings {
  version: string;
  demo: {
    accountId: string;
    people: { role: string; name: string }[];
    isSignedIn: boolean;
    /** The time of the server, if it can be moved. */
    now: string | null;
  } | null;
  oidc: OidcSettings | null;
  explorer: boolean;
}

/** A signed-in user. */
export interface Session {
  /** The user's role in the demo; null outside the demo. */
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

async function ask<T>(path: string, body: object, credentials: RequestCredentials = "same-origin"): Promise<T> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, credentials, body: JSON.stringify(body) });
  const answer = (await response.json()) as T & { message?: string };
  if (!response.ok) throw new Error(answer.message ?? `The server answered ${response.status}.`);
  return answer;
}

/** Returns a session of the demo. Its cookie returns the next credential, also after a reload of the page. */
function ofDemo(first: Credential): Session {
  let next: Credential | null = first;
  return {
    role: first.role,
    token: async () => {
      const { token } = next ?? (await ask<Credential>("/console/token", {}));
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
  return ofDemo(await ask<Credential>("/console/sign-in", { role }));
}

/** Returns a credential of one of the demo's people. It does not change this browser's session. */
export async function borrow(role: string): Promise<string> {
  return (await ask<Credential>("/console/sign-in", { role }, "omit")).token;
}

/** Moves the clock of the demo ahead, and returns its new time. */
export async function moveClock(hours: number): Promise<string> {
  return (await ask<{ now: string }>("/console/clock", { hours })).now;
}

/** Signs in with an API key, which exists only until the page is left. */
export function signInByKey(key: string): Session {
  return { role: null, token: () => Promise.resolve(key), signOut: () => Promise.resolve() };
}

/**
 * Returns the code of the demo's link, if the page was opened by it. Removes it from the address and from the history.
 */
function takeCode(): string | null {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  if (code) history.replaceState(history.state, "", location.pathname);
  return code;
}

/**
 * Returns the first session of the page: by the link's code, by the issuer's response, or the one from before a reload.
 * Null if no user is signed in. Throws if a link or an issuer did not sign in.
 */
export async function begin(settings: Settings): Promise<Session | null> {
  const code = takeCode();
  if (settings.demo) {
    if (code) return ofDemo(await ask<Credential>("/console/sign-in", { code }));
    return settings.demo.isSignedIn ? ofDemo(await ask<Credential>("/console/token", {})) : null;
  }
  return settings.oidc ? new Oidc(settings.oidc).resume() : null;
}
