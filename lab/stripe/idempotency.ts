import { createHash } from 'node:crypto';

import type { StandInAnswer, StandInRequest } from '../stand-in.ts';
import type { Account } from './account.ts';
import { DAY_S } from './calendar.ts';
import { Refusal } from './refusal.ts';

/** What the original keeps under a key: everything that it began to perform. */
const isKept = (status: number): boolean => status < 300 || status === 402;

/** Performs a POST once for each key: said again it is answered again, and otherwise refused. */
export function once(
  { state, now }: Account,
  { path, body, headers }: StandInRequest,
  perform: () => StandInAnswer,
): StandInAnswer {
  const key = headers['idempotency-key'];
  if (typeof key !== 'string') return perform();
  if (key.length > 255) throw new Refusal(400, { message: 'Idempotency-Key is too long' });
  state.kept = state.kept.filter(({ at }) => at > now() - DAY_S);
  const request = createHash('sha256').update(`${path}\n${body}`).digest('hex');
  const known = state.kept.find((one) => one.key === key);
  if (known && known.request !== request)
    throw new Refusal(400, {
      type: 'idempotency_error',
      message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
    });
  if (known) {
    const { status, body: again } = known;
    return { status, body: again, headers: { 'idempotent-replayed': 'true' } };
  }
  const answer = perform();
  if (isKept(answer.status))
    state.kept.push({ key, request, at: now(), status: answer.status, body: answer.body });
  return answer;
}
