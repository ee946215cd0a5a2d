import { call } from '../api/client.ts';
import { Problem } from '../parts/problem.tsx';
import { useSubmission } from '../state/submission.ts';

/** Opens the IDE of a development container in a window of its own. */
export function IdeButton({ id }: { readonly id: number }) {
  const { isRunning, problem, run } = useSubmission();

  function open(): void {
    run(async () => {
      const { url } = await call('POST /api/dev/{id}/ide-token', { path: { id } });
      // Without `noopener` the window would begin with a copy of what this one keeps for itself.
      window.open(url, '_blank', 'noopener');
    });
  }

  return (
    <section aria-label="IDE">
      <div className="buttons">
        <button type="button" disabled={isRunning} onClick={open}>
          Open the IDE
        </button>
      </div>
      <Problem problem={problem} />
    </section>
  );
}
