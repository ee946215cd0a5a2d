import type { ExplainedAction } from '../api/schema.ts';

/** Every wish: allowed, or why not and what would lift that. */
export function Wishes({ actions }: { readonly actions: readonly ExplainedAction[] }) {
  return (
    <ul className="wishes">
      {actions.map(({ action, isAllowed, refusal }) => (
        <li key={action} className={isAllowed ? 'allowed' : ''}>
          <strong>{action.replaceAll('_', ' ')}</strong>{' '}
          {isAllowed ? 'may be asked for' : (refusal?.message ?? 'not now')}
          {refusal && <span className="quiet"> ({refusal.lift})</span>}
        </li>
      ))}
    </ul>
  );
}
