import type { ExplainedAction, ServerStatus } from '../api/schema.ts';

/** Why some of these are not possible now; `why-<action>` is what describes their buttons. */
export function Refusals({
  status,
  actions,
  textOf,
}: {
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  readonly textOf: (action: string) => string;
}) {
  const refused = actions.filter(({ action }) => !status.allowedActions.includes(action));
  if (refused.length === 0) return null;
  return (
    <ul className="reasons">
      {refused.map(({ action, refusal }) => (
        <li key={action} id={`why-${action}`}>
          {textOf(action)}: {refusal?.message ?? 'not now'}
          {refusal && ` (${refusal.lift})`}
        </li>
      ))}
    </ul>
  );
}
