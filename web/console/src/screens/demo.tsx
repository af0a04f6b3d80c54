// Controls of the demo. Each click does what a platform's server would do, through the public API.
import { createLedgerbell, type Ledgerbell } from "@ledgerbell/client";
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";
import { Balance, Field, useAction, useSimulatedCards } from "@ledgerbell/react";
import { useEffect, useState, type ReactNode } from "react";

import { Choice } from "../form.js";
import { freeze } from "../freezing.js";
import { Card, Instant, Refusal } from "../parts.js";
import { usePlace } from "../place.js";
import { borrow, moveClock, readSettings, type Settings } from "../session.js";

const MEMBERS = graphql(`
  query DemoMembers($account: ID!) {
    account(id: $account) {
      id
      members(first: 50) {
        nodes {
          id
          name
        }
      }
    }
  }
`);

const BOOK = graphql(
  `
    mutation DemoBook($input: BookSessionInput!) {
      bookSession(input: $input) {
        session {
          id
          title
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const COMPLETE = graphql(
  `
    mutation DemoComplete($input: CompleteSessionInput!) {
      completeSession(input: $input) {
        session {
          id
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const CARD = graphql(
  `
    mutation DemoCard($input: AddPaymentMethodInput!) {
      addPaymentMethod(input: $input) {
        paymentMethod {
          id
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const BUY = graphql(
  `
    mutation DemoBuy($input: CreateTopUpInput!) {
      createTopUp(input: $input) {
        topUp {
          id
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

const TITLES = ["German, level B2", "Yoga, morning class", "Leadership coaching", "Spanish, level A1"];

/** Acts as the platform's server, with the credential of the demo's operator. */
class Platform {
  readonly client: Ledgerbell;
  /** The server's time when the page last learned it. Null if its clock cannot be moved. */
  readonly now: string | null;
  readonly #accountId: string;
  /** By how many milliseconds the server's clock is ahead of this machine's. */
  #ahead = 0;
  #members: Promise<string[]> | null = null;

  constructor({ accountId, now }: NonNullable<Settings["demo"]>) {
    this.#accountId = accountId;
    this.now = now ?? null;
    this.#keep(now);
    this.client = createLedgerbell({ url: "/graphql", token: () => borrow("operator"), tabs: false });
  }

  async book(): Promise<string> {
    const members = await (this.#members ??= this.#read());
    const pick = <T,>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)];
    const startsAt = Date.now() + this.#ahead + 3_600_000;
    const { bookSession } = await this.client.mutate(BOOK, {
      input: {
        accountId: this.#accountId,
        memberId: pick(members) ?? null,
        title: pick(TITLES) ?? "",
        startsAt: new Date(startsAt).toISOString(),
        endsAt: new Date(startsAt + 3_600_000).toISOString(),
        credits: "2.5",
      },
    });
    return bookSession?.session?.id ?? "";
  }

  async complete(): Promise<void> {
    const sessionId = await this.book();
    await this.client.mutate(COMPLETE, { input: { sessionId } });
  }

  async tryCard(token: string): Promise<void> {
    const accountId = this.#accountId;
    const { addPaymentMethod } = await this.client.mutate(CARD, { input: { accountId, gatewayToken: token } });
    const paymentMethodId = addPaymentMethod?.paymentMethod?.id ?? null;
    await this.client.mutate(BUY, { input: { accountId, credits: "10", paymentMethodId } });
  }

  freeze(isFrozen: boolean): Promise<void> {
    return freeze(this.client, this.#accountId, isFrozen ? "Frozen by the demo's controls" : null);
  }

  /** Moves the server's clock ahead, and returns its new time. */
  async moveClock(hours: number): Promise<string> {
    const now = await moveClock(hours);
    this.#keep(now);
    return now;
  }

  #keep(now: string | null): void {
    if (now) this.#ahead = Math.max(0, Date.parse(now) - Date.now());
  }

  async #read(): Promise<string[]> {
    const { account } = await this.client.query(MEMBERS, { account: this.#accountId });
    return account?.members?.nodes.map((member) => member.id) ?? [];
  }
}

export default function Demo(): ReactNode {
  const [platform, setPlatform] = useState<Platform | null>(null);
  useEffect(() => {
    let made: Platform | null = null;
    let isCurrent = true;
    void readSettings().then(({ demo }) => {
      if (demo && isCurrent) setPlatform((made = new Platform(demo)));
    });
    return () => {
      isCurrent = false;
      made?.client.close();
    };
  }, []);
  return platform && <Controls platform={platform} />;
}

function Controls({ platform }: { platform: Platform }): ReactNode {
  const { words } = usePlace();
  const cards = useSimulatedCards();
  const [card, setCard] = useState("card_declined");
  const act = useAction((what: () => Promise<unknown>) => what());
  const load = useAction(() => platform.complete());
  const { run: loadMore, error: overloaded, reset } = load;
  const [isLoaded, setIsLoaded] = useState(false);
  useEffect(() => {
    if (!isLoaded) return;
    const timer = setInterval(() => void loadMore(), 1_000);
    return () => clearInterval(timer);
  }, [isLoaded, loadMore]);
  useEffect(() => {
    if (overloaded) setIsLoaded(false);
  }, [overloaded]);
  const toggle = () => {
    reset();
    setIsLoaded(!isLoaded);
  };
  const button = (label: string, what: () => Promise<unknown>) => (
    <button type="button" disabled={act.isBusy} onClick={() => void act.run(what)}>
      {label}
    </button>
  );
  return (
    <>
      <p className="console-hint">{words.demoHint}</p>
      <div className="console-two">
        <div className="console-column">
          <Balance />
          {platform.now && <Time platform={platform} now={platform.now} />}
        </div>
        <Card title={words.screens.demo ?? ""}>
          <div className="console-buttons">
            {button(words.demoBook, () => platform.book())}
            {button(words.demoComplete, () => platform.complete())}
            <button type="button" aria-pressed={isLoaded} onClick={toggle}>
              {isLoaded ? words.demoStop : words.demoLoad}
            </button>
            {button(words.demoFreeze, () => platform.freeze(true))}
            {button(words.demoUnfreeze, () => platform.freeze(false))}
          </div>
          <p className="console-after">
            <small>{words.demoLoadHint}</small>
          </p>
          <Field label={words.demoCard} hint={words.demoCardHint}>
            <Choice
              label={words.demoCard}
              value={card}
              onChange={setCard}
              options={cards.map(({ token, label }) => [token, label])}
            />
          </Field>
          <div className="console-buttons">{button(words.demoCard, () => platform.tryCard(card))}</div>
          <Refusal error={act.error ?? overloaded} />
          <p role="status">{act.isDone && words.done}</p>
        </Card>
      </div>
    </>
  );
}

/** Moves the server's clock: what would happen in days happens in seconds. */
function Time({ platform, now: first }: { platform: Platform; now: string }): ReactNode {
  const { words } = usePlace();
  const [now, setNow] = useState(first);
  const move = useAction(async (hours: number) => setNow(await platform.moveClock(hours)));
  return (
    <Card title={words.demoClock}>
      <p>
        {words.demoNow} <Instant at={now} />
      </p>
      <div className="console-buttons">
        {words.demoSteps.map(([hours, label]) => (
          <button key={hours} type="button" disabled={move.isBusy} onClick={() => void move.run(hours)}>
            {label}
          </button>
        ))}
      </div>
      <p>
        <small>{words.demoClockHint}</small>
      </p>
      <Refusal error={move.error} />
    </Card>
  );
}
