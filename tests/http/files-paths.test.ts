import { posix } from 'node:path';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { readPath } from '../../lab/agent/files/places.ts';
import { isConfined } from '../../src/http/files/path.ts';

const hostile = fc.constantFrom(
  ...['.', '..', '/', '\\', '%', '%2e', '%2F', '%5c', '%00', '%25', '\0', ' ', 'a', 'ü', '\ud800'],
);
const path = fc.oneof(
  fc.array(hostile, { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** As often as somebody may decode it on its way. */
function decodings(text: string): readonly string[] {
  const found = [text];
  for (let next = text; found.length < 5; ) {
    next = next.replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number(`0x${hex}`)));
    found.push(next);
  }
  return found;
}

test('what is let through stays below the root, however often it is decoded', () => {
  fc.assert(
    fc.property(path, (given) => {
      fc.pre(isConfined(given));
      for (const decoded of decodings(given)) {
        const full = posix.resolve('/root', decoded);
        expect(full).toMatch(/^\/root\/./);
        expect(full).toBe(`/root/${decoded}`);
        expect(decoded).not.toMatch(/[\0\\]/);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('we and the reference agent refuse the same', () => {
  const agentTakes = (given: string) => {
    try {
      return readPath(given).length > 0;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(path, (given) => {
      expect(agentTakes(given)).toBe(isConfined(given));
    }),
    { numRuns: 1_000 },
  );
});
