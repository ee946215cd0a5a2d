import { expect, test } from 'vitest';

import { answerFailure, transportFailure } from '../../src/clients/opnsense/failure.ts';

/** Status, body, our reason, may it succeed later. */
const ANSWERS: readonly (readonly [number, object | null, string, boolean])[] = [
  [401, { status: 401, message: 'Authentication Failed' }, 'unauthenticated', false],
  [403, { status: 403, message: 'Forbidden' }, 'forbidden', false],
  [404, { errorMessage: 'Endpoint not found' }, 'not_implemented', false],
  [400, { message: 'Invalid JSON syntax' }, 'invalid_parameters', false],
  [200, { result: 'failed', validations: { 'rule.target': 'no' } }, 'invalid_parameters', false],
  [200, { result: 'failed' }, 'refused', false],
  [200, { rows: 'none' }, 'answer_unreadable', true],
  [200, null, 'answer_unreadable', true],
  [302, null, 'answer_unreadable', true],
  [418, null, 'answer_unreadable', true],
  [429, null, 'rate_limited', true],
  [500, { errorMessage: 'user-config-readonly set' }, 'server_failed', true],
  [503, null, 'server_failed', true],
];

test.each(ANSWERS)('%i with %j is %s', (status, body, reason, retryable) => {
  const text = body ? JSON.stringify(body) : '<html>';

  const error = answerFailure('POST /x', { status, text, header: () => undefined });

  expect(error).toMatchObject({ code: 'upstream_failed', reason, retryable, details: { status } });
  expect(error.message).toBe(`opnsense: POST /x: ${reason}`);
});

test.each([
  [{ 'rule.target': 'not an address' }, 'rule.target: not an address'],
  [{ 'rule.target': ['one', 'two'] }, 'rule.target: one,two'],
])('a refused field is named in the cause: %j', (validations, said) => {
  const text = JSON.stringify({ result: 'failed', validations });

  const { cause } = answerFailure('POST /x', { status: 200, text, header: () => undefined });

  expect(String(cause)).toContain(said);
});

test.each([
  ['ECONNREFUSED', 'not_connected', true],
  ['EHOSTUNREACH', 'not_connected', true],
  ['ECONNRESET', 'no_answer', true],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate_refused', false],
])('a connection that ends with %s is %s', (code, reason, retryable) => {
  const error = Object.assign(new Error('it broke'), { code });

  expect(transportFailure('GET /x', error)).toMatchObject({ reason, retryable });
});
