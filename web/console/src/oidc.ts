// Sign-in at an OpenID Connect issuer: the authorization code flow with PKCE, by a public client.
import type { Session } from "./session.js";

/** The console's client at the issuer. */
export interface OidcSettings {
  issuer: string;
  clientId: string;
  scope: string;
  /** The kind of token that is used as the credential. */
  token: "access" | "id";
}

interface Endpoints {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  end_session_endpoint?: string;
}

interface Tokens {
  access_token?: string;
  id_token?: string;
  refresh_token?: string;
  expires_in?: number;
}

/** What must survive the redirect to the issuer, once. It contains no credential. */
interface Way {
  state: string;
  verifier: string;
  nonce: string;
  hash: string;
  isSilent: boolean;
}

const WAY = "ledgerbell.way";
/**
 * The key of a flag: this tab had a session at the issuer. Then a reloaded page asks the issuer without user
 * interaction.
 */
const HAD_SESSION = "ledgerbell.had-session";

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/**
 * Returns the claims of a token. It came directly from the issuer over TLS, and the server checks its signature. So
 * this code does not.
 */
function claimsOf(token: string): { nonce?: string; exp?: number } {
  const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (char) => char.charCodeAt(0)))) as {
    nonce?: string;
    exp?: number;
  };
}

/** A sign-in at one issuer. */
export class Oidc {
  readonly #settings: OidcSettings;
  #endpoints: Promise<Endpoints> | null = null;
  #tokens: Tokens = {};
  #endsAt = 0;

  constructor(settings: OidcSettings) {
    this.#settings = settings;
  }

  /** Redirects to the issuer. With `isSilent`, the issuer must not ask the member anything. */
  async leave(isSilent = false): Promise<never> {
    const { authorization_endpoint } = await this.#discover();
    const way: Way = { state: random(), verifier: random(), nonce: random(), hash: location.hash, isSilent };
    sessionStorage.setItem(WAY, JSON.stringify(way));
    const url = new URL(authorization_endpoint);
    const parameters = {
      response_type: "code",
      client_id: this.#settings.clientId,
      redirect_uri: redirectUri(),
      scope: this.#settings.scope,
      state: way.state,
      nonce: way.nonce,
      code_challenge: await challengeOf(way.verifier),
      code_challenge_method: "S256",
      ...(isSilent ? { prompt: "none" } : {}),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    location.assign(url);
    return new Promise<never>(() => {});
  }

  /**
   * Returns the session of the issuer's response in the address, or the one that the issuer still has. Null if no user
   * is signed in.
   */
  async resume(): Promise<Session | null> {
    const answer = new URLSearchParams(location.search);
    const kept = sessionStorage.getItem(WAY);
    sessionStorage.removeItem(WAY);
    if (!answer.has("state")) {
      return sessionStorage.getItem(HAD_SESSION) ? this.leave(true) : null;
    }
    const way = kept ? (JSON.parse(kept) as Way) : null;
    history.replaceState(history.state, "", location.pathname + (way?.hash ?? ""));
    if (way?.state !== answer.get("state")) throw new Error("This sign-in was not begun here. Try again.");
    const issuer = answer.get("iss");
    if (issuer !== null && issuer !== (await this.#discover()).issuer) throw new Error("Another issuer answered.");
    if (answer.has("error")) {
      sessionStorage.removeItem(HAD_SESSION);
      if (way.isSilent) return null;
      throw new Error(answer.get("error_description") ?? answer.get("error") ?? "");
    }
    await this.#exchange({
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: redirectUri(),
      code_verifier: way.verifier,
    });
    if (this.#tokens.id_token && claimsOf(this.#tokens.id_token).nonce !== way.nonce) {
      throw new Error("The issuer's answer is another sign-in's.");
    }
    sessionStorage.setItem(HAD_SESSION, "1");
    return { role: null, token: () => this.#token(), signOut: () => this.#signOut() };
  }

  async #token(): Promise<string> {
    if (Date.now() > this.#endsAt - 30_000) {
      // Without a refresh token, only a new sign-in at the issuer gives a token, and it reloads the page.
      if (!this.#tokens.refresh_token) return this.leave(true);
      await this.#exchange({ grant_type: "refresh_token", refresh_token: this.#tokens.refresh_token });
    }
    const token = this.#settings.token === "id" ? this.#tokens.id_token : this.#tokens.access_token;
    if (!token) throw new Error(`The issuer gave no ${this.#settings.token} token.`);
    return token;
  }

  async #exchange(parameters: Record<string, string>): Promise<void> {
    const { token_endpoint } = await this.#discover();
    const body = new URLSearchParams({ ...parameters, client_id: this.#settings.clientId });
    const response = await fetch(token_endpoint, { method: "POST", body, credentials: "omit" });
    const answer = (await response.json()) as Tokens & { error?: string; error_description?: string };
    if (!response.ok)
      throw new Error(answer.error_description ?? answer.error ?? `The issuer answered ${response.status}.`);
    this.#tokens = { ...this.#tokens, ...answer };
    const id = this.#settings.token === "id" ? answer.id_token : undefined;
    const exp = id ? claimsOf(id).exp : undefined;
    this.#endsAt = exp ? exp * 1000 : Date.now() + (answer.expires_in ?? 300) * 1000;
  }

  async #signOut(): Promise<void> {
    sessionStorage.removeItem(HAD_SESSION);
    const { end_session_endpoint } = await this.#discover();
    const { id_token } = this.#tokens;
    this.#tokens = {};
    if (!end_session_endpoint || !id_token) return;
    const url = new URL(end_session_endpoint);
    url.searchParams.set("id_token_hint", id_token);
    url.searchParams.set("client_id", this.#settings.clientId);
    url.searchParams.set("post_logout_redirect_uri", redirectUri());
    location.assign(url);
  }

  #discover(): Promise<Endpoints> {
    return (this.#endpoints ??= fetch(`${this.#settings.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      credentials: "omit",
    }).then((response) => {
      if (!response.ok) throw new Error(`The issuer answered ${response.status}.`);
      return response.json() as Promise<Endpoints>;
    }));
  }
}

function redirectUri(): string {
  return `${location.origin}/`;
}
