import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const faults = z.strictObject({
  /** The installation ends with this message. */
  installFails: z.string().optional(),
  /** The step at which it does; the first one when left out. */
  failStep: z.string().optional(),
  neverReady: z.boolean().optional(),
  /** Every answer is late by this much. */
  slowMs: z.number().int().nonnegative().optional(),
  /** The game ends right after its start. */
  crashOnStart: z.boolean().optional(),
  /** A wish to shut down is not heard, so that only force helps. */
  ignoreShutdown: z.boolean().optional(),
});

export type Faults = z.output<typeof faults>;

/** Read anew on every use: a test may change its mind while the agent runs. */
export function readFaults(root: string): Faults {
  let text: string;
  try {
    text = readFileSync(join(root, 'agent-faults.json'), 'utf8');
  } catch {
    return {};
  }
  return faults.parse(JSON.parse(text));
}
