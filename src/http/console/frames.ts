import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';
import { plainText } from '../plain-text.ts';

/** The subprotocol of viewers who want numbers; without it they get bare lines. */
export const PROTOCOL = 'zpack.console.v1';

const COMMAND_MAX = 1_000;

/** One line: what is typed behind an end of it would be a second command. */
export const commandText = z
  .string()
  .trim()
  .min(1)
  .max(COMMAND_MAX)
  .pipe(plainText)
  .describe('One line');

export const commandId = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, "_" or "-"')
  .describe('Of your choice: sent again with the same id, it is typed once');

export interface Command {
  readonly text: string;
  readonly id?: string | undefined;
}

const commandFrame = z.object({
  type: z.literal('command'),
  id: commandId,
  text: commandText,
});

/** @throws InvalidInputError */
export function readCommand(data: string, isPlain: boolean): Command {
  const parsed = isPlain
    ? commandText.transform((text): Command => ({ text })).safeParse(data)
    : commandFrame.safeParse(parseJson(data));
  if (parsed.success) return parsed.data;
  const said = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'command'}: ${message}`,
  );
  throw new InvalidInputError(said.join('; '));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
