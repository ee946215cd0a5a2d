/** From page to page of a list that is read by cursors. */
export function Pager({
  isFirst,
  next,
  onTurn,
}: {
  readonly isFirst: boolean;
  readonly next: string | null;
  readonly onTurn: (cursor: string | null) => void;
}) {
  if (isFirst && next === null) return null;
  return (
    <div className="buttons">
      <button type="button" disabled={isFirst} onClick={() => onTurn(null)}>
        First page
      </button>
      <button type="button" disabled={next === null} onClick={() => onTurn(next)}>
        Next page
      </button>
    </div>
  );
}
