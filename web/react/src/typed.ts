import { useEffect, useState, type ChangeEvent } from "react";

/** The pause in typing before the text is reported, in milliseconds. */
const PAUSE = 250;

/** The properties of an input. */
export interface Typed {
  value: string;
  onChange: (event: ChangeEvent<HTMLInputElement>) => void;
}

/** Returns the properties of a text input that reports its trimmed value when typing pauses. */
export function useTyped(value: string, onChange: (value: string) => void): Typed {
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    // The value was changed elsewhere: by the back button, or by removing a filter.
    setGiven(value);
    if (text.trim() !== value) setText(value);
  }
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onChange(text.trim()), PAUSE);
    return () => clearTimeout(timer);
  });
  return { value: text, onChange: (event) => setText(event.target.value) };
}
