import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { IDE_HOSTILITIES, type IdeHostility } from './ide-hostilities.ts';

const MISBEHAVIOURS = [
  /** Taken, and never answered. */
  'hang',
  /** A byte now and then, for ever. */
  'drip',
  /** An answer of 10 MB. */
  'huge',
  /** Something in HTTP that is no JSON. */
  'garbage',
  /** Not even HTTP. */
  'noise',
  /** Half an answer, and then the end of the connection. */
  'half_close',
  /** The connection breaks. */
  'drop',
  /** The same, every other time. */
  'flap',
] as const;

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
  /** It says that the game has died as often as this, and is not ready. */
  saysCrashed: z.number().int().positive().optional(),
  /** Once each: at a step of `backup-steps.ts`, or to the answer of "POST restore", say. */
  backups: z
    .strictObject({
      dieAt: z.string().optional(),
      diskFullAt: z.string().optional(),
      /** It is done, and the connection breaks. */
      loseAnswer: z.string().optional(),
    })
    .optional(),
  files: z
    .strictObject({
      /** What is left on the disk. */
      diskFreeBytes: z.int().nonnegative().optional(),
      /** The largest file that it takes. */
      fileMaxBytes: z.int().nonnegative().optional(),
      /** The disk is full when so much of an upload has been written, whatever was left before. */
      diskFullAfter: z.int().nonnegative().optional(),
      /** The connection breaks when so many bytes of a file have gone over it. */
      cutAfter: z.int().nonnegative().optional(),
    })
    .optional(),
  /** What the IDE does to whoever asks it. */
  ide: z.enum(IDE_HOSTILITIES).optional(),
  /** By path, as "/health": how a request is answered instead of as usual. */
  answers: z.partialRecord(z.string(), z.enum(MISBEHAVIOURS)).optional(),
});

export type Faults = z.output<typeof faults>;
type BackupFaults = NonNullable<Faults['backups']>;
export type Misbehaviour = (typeof MISBEHAVIOURS)[number];

const FAULTS = 'agent-faults.json';
const FIRED = 'agent-faults.fired';

/** Read anew on every use: a test may change its mind while the agent runs. */
export function readFaults(root: string): Faults {
  let text: string;
  try {
    text = readFileSync(join(root, FAULTS), 'utf8');
  } catch {
    return {};
  }
  return faults.parse(JSON.parse(text));
}

/** For tests, in one piece: an agent that reads meanwhile sees the old ones or the new ones. */
export function writeFaults(root: string, planned: Faults): void {
  const path = join(root, FAULTS);
  writeFileSync(`${path}.tmp`, JSON.stringify(faults.parse(planned)));
  renameSync(`${path}.tmp`, path);
}

/** Keeps a record of it, so that a test can tell a fault that fired from one that did not. */
export function noteFired(
  root: string,
  fault:
    | Misbehaviour
    | IdeHostility
    | ('saysCrashed' | 'cutAfter' | 'diskFullAfter')
    | keyof BackupFaults,
  path: string,
): void {
  appendFileSync(join(root, FIRED), `${fault} ${path}\n`);
}

/** Every time one of those that `noteFired` knows has fired, as "hang /health". */
export function readFired(root: string): readonly string[] {
  try {
    return readFileSync(join(root, FIRED), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
