import { expect, test } from 'vitest';

import { HIDDEN, redact } from '../../src/http/redact.ts';

test('what may open something is hidden, wherever it stands, and the rest is as it was', () => {
  const seen = redact({
    vmid: 5_001,
    agentToken: 'zpk_x',
    nothingYet: null,
    payload: { env: [{ rconPassword: 'x', motd: 'hello' }], api_key: 'x', keys: 1 },
    list: [1, 'two', null],
  });

  expect(seen).toEqual({
    vmid: 5_001,
    agentToken: HIDDEN,
    nothingYet: null,
    payload: { env: [{ rconPassword: HIDDEN, motd: 'hello' }], api_key: HIDDEN, keys: 1 },
    list: [1, 'two', null],
  });
});

test('what is nested too deeply is not shown', () => {
  const deep = { a: { a: { a: { a: { a: { a: { a: { a: { a: 'x' } } } } } } } } };

  expect(JSON.stringify(redact(deep))).not.toContain('x"');
});
