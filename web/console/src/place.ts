// The context of screens: who looks, and at which account.
import type { Ledgerbell } from "@ledgerbell/client";
import { createContext, useContext } from "react";

import type { Settings } from "./session.js";
import type { Words } from "./words.js";

/** The viewer, and the account that is shown. */
export interface Place {
  client: Ledgerbell;
  settings: Settings;
  /** The account that is shown; null for the viewer's own. */
  accountId: string | null;
  permissions: ReadonlySet<string>;
  isPlatform: boolean;
  language: string;
  words: Words;
}

const Context = createContext<Place | null>(null);

export const PlaceProvider = Context.Provider;

/** Returns the viewer and the account that is shown. */
export function usePlace(): Place {
  const place = useContext(Context);
  if (!place) throw new Error("A screen is shown outside of the console");
  return place;
}
