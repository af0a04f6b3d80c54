// The caller's token: asked for when it is needed, shared while it holds, and renewed before it ends.

/** What is known of a token without its secret. */
export interface Token {
  text: string;
  /** Whose it is: account and subject. Null where it does not say so, as an API key. */
  subject: string | null;
  /** From when on another is wanted, by this machine's clock. */
  renewAt: number;
}

/** The longest that is left of a token when it is renewed. */
const MARGIN = 30_000;

function read(text: string): Token {
  const now = Date.now();
  try {
    const [, part = ""] = text.split(".");
    const { sub, acct, exp, iat } = JSON.parse(atob(part.replace(/-/g, "+").replace(/_/g, "/"))) as Record<
      string,
      unknown
    >;
    const left = Number(exp) * 1000 - now;
    // How far this machine's clock is off is not known; a token that seems to have ended is used until the server refuses it.
    const whole = left > 0 ? Math.max(left, (Number(exp) - Number(iat)) * 1000 || 0) : 0;
    const renewAt = left > 0 ? now + left - Math.min(MARGIN, whole / 5) : Infinity;
    return { text, subject: sub === undefined ? null : JSON.stringify([acct, sub]), renewAt };
  } catch {
    return { text, subject: null, renewAt: Infinity };
  }
}

/** Keeps the token. */
export class Tokens {
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;

  constructor(private readonly ask: () => string | Promise<string>) {}

  /** Returns the token, a new one where the last is about to end. */
  get(): Promise<Token> {
    const token = this.#token;
    if (token && Date.now() < token.renewAt) return Promise.resolve(token);
    return this.renew();
  }

  /** Asks for a new token. Those who ask at once share it. */
  renew(): Promise<Token> {
    return (this.#asking ??= this.#renew().finally(() => (this.#asking = undefined)));
  }

  /** Forgets a token that was refused. */
  refused(token: Token): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #renew(): Promise<Token> {
    return (this.#token = read((await this.ask()).replace(/^Bearer\s+/i, "")));
  }
}
