import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

import { payloadSchema } from './payload.ts';

const remembered = z.object({
  payload: payloadSchema.optional(),
  installed: z.boolean(),
  crashCount: z.int().nonnegative(),
});

type Remembered = z.output<typeof remembered>;

/** What the agent knows after its container was restarted. */
export interface Memory {
  read(): Remembered;
  write(next: Remembered): void;
}

export function createMemory(path: string): Memory {
  let current = read(path);
  return {
    read: () => current,
    write(next) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.tmp`, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
      current = next;
    },
  };
}

function read(path: string): Remembered {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return { installed: false, crashCount: 0 };
  }
  return remembered.parse(JSON.parse(text));
}
