import { useEffect, useState } from 'react';

/** So long each step is shown when several came at once; more than so many behind, some are left out. */
const STEP_MS = 380;
const BEHIND_MAX = 6;

/** Follows the latest step, one after the other, so that each one is seen as it happens. */
export function usePlaying(latest: number): number {
  const [shown, setShown] = useState(latest);
  useEffect(() => {
    if (shown >= latest) return;
    const next = Math.max(shown + 1, latest - BEHIND_MAX);
    const timer = setTimeout(() => setShown(next), shown + 1 === latest ? 0 : STEP_MS);
    return () => clearTimeout(timer);
  }, [shown, latest]);
  return Math.min(shown, latest);
}
