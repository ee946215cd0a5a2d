import { call } from '../api/client.ts';
import { Problem } from '../parts/problem.tsx';
import { useSubmission } from '../state/submission.ts';

/** Opens the IDE of a development container in a window of its own. */
export function IdeButton({ id }: { readonly id: number }) {
  const { isRunning, problem, run } = useSubmission();

  function open(): void {
    // Before anything is waited for: later the browser would take it for a pop-up.
    const opened = window.open('', '_blank');
    run(async () => {
      try {
        const { url } = await call('POST /api/dev/{id}/ide-token', { path: { id } });
        if (!opened) return;
        opened.opener = null;
        opened.location.href = url;
      } catch (error) {
        opened?.close();
        throw error;
      }
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
