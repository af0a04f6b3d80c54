// Texts of the components. What alerts, findings and refusals say comes from the server in the member's language.
import { de } from "./de.js";
import { en, type Words } from "./en.js";

export type { Words };

/** Languages that members are written to in. */
export const LANGUAGES: Record<string, string> = { en: "English", de: "Deutsch" };

/** Returns the texts of a language, or English. */
export function wordsOf(locale: string): Words {
  return /^de\b/i.test(locale) ? de : en;
}
