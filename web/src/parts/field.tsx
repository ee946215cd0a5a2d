import { type InputHTMLAttributes, type ReactNode, useId } from 'react';

/** A labelled input; the hint says what is expected. */
export function Field({
  label,
  hint,
  ...input
}: InputHTMLAttributes<HTMLInputElement> & { readonly label: string; readonly hint?: string }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-describedby={hint && `${id}-hint`} {...input} />
      {hint && (
        <small id={`${id}-hint`} className="quiet">
          {hint}
        </small>
      )}
    </div>
  );
}

export function Choice({
  label,
  name,
  options,
  value,
  onChange,
}: {
  readonly label: string;
  readonly name: string;
  readonly options: readonly string[];
  readonly value?: string;
  readonly onChange?: (value: string) => void;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        name={name}
        value={value}
        onChange={(event) => onChange?.(event.target.value)}
      >
        {options.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </div>
  );
}

/** A form whose answers are read when it is sent. */
export function Form({
  onSend,
  children,
  ...rest
}: {
  readonly onSend: (answers: Readonly<Record<string, string>>, form: HTMLFormElement) => void;
  readonly children: ReactNode;
  readonly className?: string;
  readonly 'aria-label'?: string;
}) {
  return (
    <form
      {...rest}
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const entries = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
        onSend(Object.fromEntries(entries), form);
      }}
    >
      {children}
    </form>
  );
}
