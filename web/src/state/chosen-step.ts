import { useEffect, useRef, useState } from 'react';

import { hrefOf } from '../router.ts';
import { useRested } from './rested.ts';

const parse = (text: string | undefined): number | null => {
  const revision = Number(text);
  return Number.isInteger(revision) && revision >= 1 ? revision : null;
};

/**
 * The step that is looked at; null: the latest. It is in the address, so that it can be sent to
 * somebody, but is written there only where it rests: browsers allow few such changes in a row.
 */
export function useChosenStep(
  id: number,
  past: string | undefined,
): readonly [number | null, (revision: number | null) => void] {
  const [chosen, choose] = useState(parse(past));
  const written = useRef(past);
  useEffect(() => {
    if (past === written.current) return;
    written.current = past;
    choose(parse(past));
  }, [past]);
  const rested = useRested(chosen);
  useEffect(() => {
    const text = rested === null ? undefined : String(rested);
    if (parse(text) === parse(written.current)) return;
    written.current = text;
    const href = hrefOf('servers', id, 'machine', ...(rested === null ? [] : [rested]));
    history.replaceState(null, '', href);
  }, [id, rested]);
  return [chosen, choose];
}
