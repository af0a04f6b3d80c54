import * as react from "@ledgerbell/react";
import { StrictMode, useMemo, type ComponentType, type ReactNode } from "react";
import { createRoot } from "react-dom/client";

import "@ledgerbell/react/styles.css";
import "./gallery.css";
import { STATES, clientIn, type State } from "./server.js";

const COMPONENTS: Record<string, ComponentType> = {
  Bell: react.Bell,
  Balance: react.Balance,
  Findings: react.Findings,
  BuyCredits: react.BuyCredits,
  AutoTopUp: react.AutoTopUp,
  TopUps: react.TopUps,
  PaymentMethods: react.PaymentMethods,
  Usage: react.Usage,
  CreditLog: react.CreditLog,
  Inbox: react.Inbox,
  NotificationSettings: react.NotificationSettings,
};

const CHOICES = {
  component: ["all", ...Object.keys(COMPONENTS)],
  state: [...STATES],
  theme: ["light", "dark"],
  locale: ["en", "de"],
  dir: ["ltr", "rtl"],
} as const;
type Name = keyof typeof CHOICES;

const parameters = new URLSearchParams(location.search);
const chosen = (name: Name): string => {
  const value = parameters.get(name) ?? "";
  return (CHOICES[name] as readonly string[]).includes(value) ? value : name === "state" ? "many" : CHOICES[name][0];
};

function Choice({ name }: { name: Name }): ReactNode {
  const choose = (value: string) => {
    parameters.set(name, value);
    location.search = parameters.toString();
  };
  return (
    <label>
      {name}
      <select defaultValue={chosen(name)} onChange={(event) => choose(event.target.value)}>
        {CHOICES[name].map((value) => (
          <option key={value}>{value}</option>
        ))}
      </select>
    </label>
  );
}

function Gallery(): ReactNode {
  const client = useMemo(() => clientIn(chosen("state") as State), []);
  const component = chosen("component");
  const shown = Object.entries(COMPONENTS).filter(([name]) => component === "all" || component === name);
  return (
    <>
      <nav aria-label="What is shown">
        <strong>@ledgerbell/react</strong>
        {(Object.keys(CHOICES) as Name[]).map((name) => (
          <Choice key={name} name={name} />
        ))}
      </nav>
      <main>
        <react.LedgerbellProvider client={client} locale={chosen("locale")} payments="simulated">
          {shown.map(([name, Component]) => (
            <Component key={name} />
          ))}
        </react.LedgerbellProvider>
      </main>
    </>
  );
}

document.documentElement.lang = chosen("locale");
document.documentElement.dir = chosen("dir");
// Set by a class of the stylesheet. If a build rewrites light-dark(), a style attribute has no effect.
document.documentElement.className = chosen("theme");
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <Gallery />
    </StrictMode>,
  );
