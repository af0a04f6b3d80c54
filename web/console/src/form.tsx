// Forms: their fields, and what became of their action.
import { Field, useTyped, type Action } from "@ledgerbell/react";
import { useState, type InputHTMLAttributes, type ReactNode } from "react";

import { Refusal } from "./parts.js";

interface FormProps {
  /** What the form does. */
  action: Action<[]>;
  /** The text of its button. */
  label: string;
  /** Shown once it is done. */
  done?: string;
  isDisabled?: boolean;
  /** Whether the button is one among others of its screen. */
  isPlain?: boolean;
  children?: ReactNode;
}

/** A form with one button, and the reason if its action was refused. */
export function Form({ action, label, done, isDisabled = false, isPlain = false, children }: FormProps): ReactNode {
  return (
    <form
      className="console-form"
      onSubmit={(event) => {
        event.preventDefault();
        void action.run();
      }}
    >
      {children}
      <button type="submit" className={isPlain ? undefined : "lb-primary"} disabled={action.isBusy || isDisabled}>
        {label}
      </button>
      <Refusal error={action.error} />
      {done && <p role="status">{action.isDone && done}</p>}
    </form>
  );
}

interface TextFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  label: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
}

/** A field for a line of text. */
export function TextField({ label, hint, onChange, ...more }: TextFieldProps): ReactNode {
  return (
    <Field label={label} {...(hint && { hint })}>
      <input {...more} onChange={(event) => onChange(event.target.value)} />
    </Field>
  );
}

/** The texts of a form's fields. */
export interface Texts<Name extends string> {
  values: Readonly<Record<Name, string>>;
  /** The properties of one field. */
  of: (name: Name) => Pick<TextFieldProps, "value" | "onChange">;
  /** Sets all to what they were at first. */
  reset: () => void;
}

/** Keeps the texts of a form's fields. */
export function useTexts<Name extends string>(first: Readonly<Record<Name, string>>): Texts<Name> {
  const [values, setValues] = useState(first);
  return {
    values,
    of: (name) => ({
      value: values[name],
      onChange: (value) => setValues((values) => ({ ...values, [name]: value })),
    }),
    reset: () => setValues(first),
  };
}

interface ChoiceProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** The values and their labels, in their order. */
  options: readonly (readonly [value: string, label: string])[];
  isDisabled?: boolean;
}

/** A choice of one of several values. */
export function Choice({ label, value, onChange, options, isDisabled = false }: ChoiceProps): ReactNode {
  return (
    <select aria-label={label} value={value} disabled={isDisabled} onChange={(event) => onChange(event.target.value)}>
      {options.map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}

interface FilterProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  isNumber?: boolean;
}

/** A filter of a list that is typed. */
export function Filter({ label, value, onChange, isNumber = false }: FilterProps): ReactNode {
  const typed = useTyped(value, onChange);
  const kind = isNumber ? ({ className: "console-number", inputMode: "decimal" } as const) : { type: "search" };
  return <input {...kind} {...typed} aria-label={label} placeholder={label} />;
}
