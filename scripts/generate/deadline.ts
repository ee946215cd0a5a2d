import type { AnyStateMachine } from 'xstate';

const MINUTE_MS = 60_000;

/** `xstate.after.cloneDeadline.instance.provisioning.cloning` → `cloneDeadline`; null: it is none. */
export const deadlineOf = (eventType: string): string | null =>
  /^xstate\.after\.(\w+)\./.exec(eventType)?.[1] ?? null;

/** After how long it is over, in words; null: that depends on the context. */
export function durationOf({ implementations }: AnyStateMachine, eventType: string): string | null {
  const ms: unknown = implementations.delays?.[deadlineOf(eventType) ?? ''];
  if (typeof ms !== 'number') return null;
  return ms < MINUTE_MS ? `${ms / 1_000} s` : `${ms / MINUTE_MS} min`;
}
