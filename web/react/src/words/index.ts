// Texts of the components. The server writes the texts of alerts, findings and refusals, in the member's language.
import { de } from "./de.js";
import { en, type Words } from "./en.js";

export type { Words };

/** Languages of mail to members. */
export const LANGUAGES: Record<string, string> = { en: "English", de: "Deutsch" };

/** Returns the texts of a language, or the English ones. */
export function wordsOf(locale: string): Words {
  return /^de\b/i.test(locale) ? de : en;
}
