import { z } from 'zod';

export const epoch = z.string().regex(/^[\w-]{1,64}$/);
export const offset = z.int().nonnegative();
export const lines = z.array(z.string()).max(10_000);

const hello = z.object({ type: z.literal('hello'), epoch, from: offset });
const output = z.object({ type: z.literal('output'), offset, lines });
const other = z.object({ type: z.string() });
const frame = z.union([hello, output, other]);

/** What an agent may say over a console with numbers; null: nothing that we understand. */
export function readFrame(text: string) {
  try {
    return frame.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

type Frame = NonNullable<ReturnType<typeof readFrame>>;

export const isHello = (one: Frame | null): one is z.output<typeof hello> =>
  one !== null && 'epoch' in one;

export const isOutput = (one: Frame | null): one is z.output<typeof output> =>
  one !== null && 'lines' in one;
