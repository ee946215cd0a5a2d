import { call } from '../api/client.ts';
import { Problem } from '../parts/problem.tsx';
import { useSubmission } from '../state/submission.ts';

export function QueueBoard() {
  const { isRunning, problem, run } = useSubmission();

  async function visit(): Promise<void> {
    location.assign((await call('POST /api/admin/queues/visit', {})).url);
  }

  return (
    <section aria-label="Queues">
      <p>
        What waits in the queues, what is being worked on and what has failed. The board only shows:
        a job is nothing but a reason to look at the database.
      </p>
      <Problem problem={problem} />
      <button type="button" disabled={isRunning} onClick={() => run(visit)}>
        Open the board
      </button>
    </section>
  );
}
