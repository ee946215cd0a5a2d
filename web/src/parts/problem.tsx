import type { ApiProblem } from '../api/client.ts';

/** What the service answered, in its words. */
export function Problem({ problem }: { readonly problem: ApiProblem | null }) {
  if (!problem) return null;
  return (
    <p className="problem" role="alert">
      <strong>{problem.title}</strong>
      {problem.detail && <>: {problem.detail}</>} <code>{problem.code}</code>
    </p>
  );
}
