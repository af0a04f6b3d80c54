// What a browser stores: theme and language, and nothing about the user.
import { useCallback, useState } from "react";

import { LANGUAGES } from "./words.js";

const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

function remembered(name: string, allowed: readonly string[]): string | null {
  try {
    const value = localStorage.getItem(`ledgerbell.${name}`);
    return value && allowed.includes(value) ? value : null;
  } catch {
    return null;
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`ledgerbell.${name}`, value);
  } catch {
    // If the browser stores nothing, the defaults apply the next time.
  }
}

/** The stylesheet has the color scheme of each theme. In a style attribute it would have no effect on the compiled colors. */
function apply(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export interface Preferences {
  theme: Theme;
  language: string;
  setTheme: (theme: Theme) => void;
  setLanguage: (language: string) => void;
}

/** Returns the stored theme and language, otherwise the browser's. */
export function usePreferences(): Preferences {
  const [theme, setTheme] = useState<Theme>(() => {
    const theme = (remembered("theme", THEMES) ?? "auto") as Theme;
    apply(theme);
    return theme;
  });
  const [language, setLanguage] = useState(() => {
    const own = navigator.language.split("-")[0] ?? "en";
    const language = remembered("language", Object.keys(LANGUAGES)) ?? (own in LANGUAGES ? own : "en");
    document.documentElement.lang = language;
    return language;
  });
  return {
    theme,
    language,
    setTheme: useCallback((theme) => {
      remember("theme", theme);
      apply(theme);
      setTheme(theme);
    }, []),
    setLanguage: useCallback((language) => {
      remember("language", language);
      document.documentElement.lang = language;
      setLanguage(language);
    }, []),
  };
}
