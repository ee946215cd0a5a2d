import { expect, test } from 'vitest';

import {
  answerFailure,
  isLost,
  transportFailure,
  velocityError,
} from '../../src/clients/velocity/failure.ts';

const WHAT = 'POST /zpack/register';

test.each([
  [301, 'bridge_failed', true],
  [400, 'bridge_refused', false],
  [401, 'unauthenticated', false],
  [403, 'unauthenticated', false],
  [404, 'not_found', false],
  [405, 'bridge_refused', false],
  [408, 'bridge_failed', true],
  [409, 'name_taken', false],
  [413, 'bridge_refused', false],
  [429, 'bridge_failed', true],
  [500, 'bridge_failed', true],
  [502, 'bridge_failed', true],
  [503, 'bridge_failed', true],
])('an answer of %i is %s', (status, reason, retryable) => {
  const error = answerFailure(WHAT, status, { error: 'in its words' });

  expect(error).toMatchObject({
    code: 'upstream_failed',
    message: `velocity: ${WHAT}: ${reason}`,
    reason,
    retryable,
    details: { status, bridgeError: 'in its words' },
  });
});

test.each([undefined, 'text', [], { error: 5 }, null])(
  'an answer whose body is %j has no words of the bridge',
  (body) => {
    expect(answerFailure(WHAT, 400, body).details).toEqual({ status: 400 });
  },
);

test('the words of the bridge are cut', () => {
  const { details } = answerFailure(WHAT, 400, { error: 'x'.repeat(5_000) });

  expect(details['bridgeError']).toHaveLength(200);
});

test.each([
  ['ECONNREFUSED', 'not_connected'],
  ['ENOTFOUND', 'not_connected'],
  ['EAI_AGAIN', 'not_connected'],
  ['EHOSTUNREACH', 'not_connected'],
  ['ENETUNREACH', 'not_connected'],
  ['UND_ERR_CONNECT_TIMEOUT', 'not_connected'],
  ['ECONNRESET', 'no_answer'],
  ['EPIPE', 'no_answer'],
  ['UND_ERR_SOCKET', 'no_answer'],
  ['HPE_INVALID_CONSTANT', 'no_answer'],
])('a connection that ends with %s is %s', (code, reason) => {
  const error = transportFailure(WHAT, Object.assign(new Error('it broke'), { code }));

  expect(error).toMatchObject({ reason, retryable: true });
  expect(String(error.cause)).toBe(`Error: ${code}: it broke`);
});

test('a deadline has a name of its own, and what has one keeps it', () => {
  const late = transportFailure(WHAT, new DOMException('too late', 'TimeoutError'));
  const large = velocityError('answer_too_large', WHAT);

  expect(late).toMatchObject({ reason: 'timed_out', retryable: true });
  expect(transportFailure(WHAT, large)).toBe(large);
  expect(transportFailure(WHAT, 'thrown')).toMatchObject({ reason: 'no_answer' });
});

test.each([
  ['not_connected', false],
  ['no_answer', true],
  ['timed_out', true],
  ['answer_too_large', true],
  ['answer_unreadable', false],
  ['unauthenticated', false],
  ['not_found', false],
  ['name_taken', false],
  ['bridge_refused', false],
  ['bridge_failed', true],
] as const)('after %s, may it have happened all the same? %s', (reason, mayHave) => {
  expect(isLost(velocityError(reason, WHAT))).toBe(mayHave);
  expect(isLost(new Error(reason))).toBe(false);
});
