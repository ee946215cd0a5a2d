import { z } from 'zod';

import type { Console } from './console.ts';

const asked = z.object({
  from: z.coerce.number().int().nonnegative(),
  limit: z.coerce.number().int().positive().optional(),
});

/** Answers `GET /console/log?from=&limit=`. What is not kept any more is passed over. */
export function readPage(console: Console, url = '/') {
  const { searchParams } = new URL(url, 'http://localhost');
  const query = asked.safeParse(Object.fromEntries(searchParams));
  if (!query.success) return { status: 400, body: { error: 'invalid_range' } };
  const offset = Math.max(query.data.from, console.first());
  const lines = console.read(offset, query.data.limit);
  return { status: 200, body: { epoch: console.epoch, next: console.next(), offset, lines } };
}
