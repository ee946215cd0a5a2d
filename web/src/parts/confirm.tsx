import { type ReactNode, useEffect, useRef } from 'react';

/** Asks once more before something that cannot be taken back. Escape says no. */
export function Confirm({
  title,
  verb,
  children,
  onYes,
  onNo,
}: {
  readonly title: string;
  readonly verb: string;
  readonly children: ReactNode;
  readonly onYes: () => void;
  readonly onNo: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onNo}>
      <h2>{title}</h2>
      {children}
      <div className="buttons">
        <button type="button" className="danger" onClick={onYes}>
          {verb}
        </button>
        <button type="button" onClick={onNo}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}
