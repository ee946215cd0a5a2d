import type { Step, StoredSnapshot } from '../actors/store.ts';

export interface Columns {
  /** Without the payload of its context. */
  readonly snapshot: StoredSnapshot;
  /** As a step has it, `undefined`: as it is stored already. As a row has it, `null`: it has none. */
  readonly payload: unknown;
}

/**
 * An instance's payload has a column of its own and is nowhere else: most steps do not change it,
 * and then it is neither sent nor written. No machine lets go of a payload that it has had.
 */
export function toColumns({ snapshot, unchanged }: Pick<Step, 'snapshot' | 'unchanged'>): Columns {
  const context = snapshot.context as { readonly payload?: unknown };
  return {
    // JSON has no undefined, and to set it costs less than to copy all members but one.
    snapshot: { ...snapshot, context: { ...context, payload: undefined } },
    payload: unchanged.includes('payload') ? undefined : context.payload,
  };
}

/** A row with the whole snapshot, as a machine knows it, in the place of both columns. */
export function joinColumns<Row extends Columns>({ payload, ...row }: Row): Omit<Row, 'payload'> {
  if (payload === null) return row;
  const context = { ...(row.snapshot.context as object), payload };
  return { ...row, snapshot: { ...row.snapshot, context } };
}
