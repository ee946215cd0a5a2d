import { ApiProblem, call } from '../api/client.ts';
import { Problem } from '../parts/problem.tsx';
import { useSubmission } from '../state/submission.ts';

/** Leads into the IDE of a dev container, in a tab of its own. The link is good once. */
export function OpenIde({ id }: { readonly id: number }) {
  const { isRunning, problem, run } = useSubmission();

  async function open(): Promise<void> {
    // A browser allows it only at once: after the answer it would be a window that nobody asked for.
    const tab = window.open('', '_blank');
    if (!tab) throw BLOCKED;
    // What runs in the container must not reach this page.
    tab.opener = null;
    try {
      const { url } = await call('POST /api/dev/{id}/ide-token', { path: { id } });
      tab.location.replace(new URL(url, location.href));
    } catch (error) {
      tab.close();
      throw error;
    }
  }

  return (
    <section aria-label="IDE">
      <div className="buttons">
        <button type="button" disabled={isRunning} onClick={() => run(open)}>
          Open the IDE
        </button>
      </div>
      <Problem problem={problem} />
    </section>
  );
}

const BLOCKED = new ApiProblem({
  ...{ status: 0, error: 'blocked', title: 'The browser did not open another tab' },
  detail: 'allow it for this page, and try again',
});
