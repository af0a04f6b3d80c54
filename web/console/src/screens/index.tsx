// All screens by name, and the permissions that they need.
import {
  AutoTopUp,
  Balance,
  BuyCredits,
  CreditLog,
  Findings,
  Inbox,
  NotificationSettings,
  PaymentMethods,
  TopUps,
  Usage,
} from "@ledgerbell/react";
import { lazy, Suspense, type ReactNode } from "react";

import { usePlace, type Place } from "../place.js";
import { go } from "../route.js";

const Sessions = lazy(() => import("./sessions.js"));
const Members = lazy(() => import("./members.js"));
const Keys = lazy(() => import("./keys.js"));
const Help = lazy(() => import("./help.js"));
const Accounts = lazy(() => import("./accounts.js"));
const Operations = lazy(() => import("./operations.js"));
const AccountScreen = lazy(() => import("./account.js"));
const Demo = lazy(() => import("./demo.js"));

/** The screens of a platform's operator that belong to no account. */
export const PLATFORM_SCREENS = ["accounts", "operations"];

/** Returns the screens of an account that are useful to the viewer. */
export function screensOf({ permissions, isPlatform, settings }: Place): string[] {
  const may = (permission: string) => permissions.has(permission);
  const sees = may("READ_CREDIT_LOG");
  return [
    "overview",
    "log",
    ...(sees ? ["usage"] : []),
    "sessions",
    ...(sees ? ["topups", "rule"] : []),
    "alerts",
    ...(isPlatform ? [] : ["settings"]),
    ...(sees || may("MANAGE_MEMBERS") ? ["members"] : []),
    ...(may("MANAGE_API_KEYS") ? ["keys"] : []),
    ...(may("MANAGE_ACCOUNTS") || may("MANAGE_CREDITS") ? ["account"] : []),
    "help",
    ...(settings.demo ? ["demo"] : []),
  ];
}

/** Returns a function that leads from a finding or an alert to the screen for its choice. */
export function useChoosing(): () => void {
  const { accountId } = usePlace();
  return () => go({ accountId, screen: "topups" });
}

function Overview(): ReactNode {
  const choose = useChoosing();
  return (
    <>
      <div className="console-two">
        <div className="console-column">
          <Balance />
          <BuyCredits />
        </div>
        <Findings onChoose={choose} />
      </div>
      <CreditLog pageSize={10} />
    </>
  );
}

function Purchases(): ReactNode {
  return (
    <>
      <div className="console-two">
        <BuyCredits />
        <PaymentMethods />
      </div>
      <TopUps />
    </>
  );
}

function Alerts(): ReactNode {
  return <Inbox onAction={useChoosing()} />;
}

const SCREENS: Record<string, () => ReactNode> = {
  overview: () => <Overview />,
  log: () => <CreditLog />,
  usage: () => <Usage />,
  sessions: () => <Sessions />,
  topups: () => <Purchases />,
  rule: () => <AutoTopUp />,
  alerts: () => <Alerts />,
  settings: () => <NotificationSettings />,
  members: () => <Members />,
  keys: () => <Keys />,
  help: () => <Help />,
  accounts: () => <Accounts />,
  operations: () => <Operations />,
  account: () => <AccountScreen />,
  demo: () => <Demo />,
};

/** Shows a screen by its name. */
export function Screen({ name }: { name: string }): ReactNode {
  const { words } = usePlace();
  const screen = Object.hasOwn(SCREENS, name) ? SCREENS[name] : undefined;
  if (!screen) return <p>{words.noSuchScreen}</p>;
  return <Suspense fallback={<p role="status">{words.loading}</p>}>{screen()}</Suspense>;
}
