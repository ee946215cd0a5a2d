import { isIP } from 'node:net';
import { z } from 'zod';

import { InvalidInputError, type UpstreamError } from '../../errors.ts';
import { type Answer, agentError, type Question } from './exchange.ts';

const WORD_LENGTH_MAX = 200;

/**
 * The agent runs beside the customer's code: its words are not to be trusted. PostgreSQL refuses
 * some characters in JSON and counts beyond its columns, and a step that it refuses takes those
 * committed with it along.
 */
export const word = z.string().transform((text) =>
  text
    .slice(0, WORD_LENGTH_MAX)
    .replace(/\p{Cc}+/gu, ' ')
    .toWellFormed(),
);

const bytes = z.int().nonnegative().optional().catch(undefined);
const refused = z.object({ error: word, received: bytes, size: bytes });

/** What an answer that is not 2xx means; the agent's word stands in `details.agentError`. */
export function refusal(
  question: Pick<Question, 'method' | 'path'>,
  { status: code, body }: Pick<Answer, 'status' | 'body'>,
): UpstreamError {
  const { error, received, size } = refused.safeParse(body).data ?? {};
  const details = {
    status: code,
    ...(error !== undefined && { agentError: error }),
    ...(received !== undefined && { received }),
    ...(size !== undefined && { size }),
  };
  const isFull = code === 507;
  const isRefusal = isFull || (code >= 400 && code <= 499 && code !== 408 && code !== 429);
  return agentError(isRefusal ? 'agent_refused' : 'agent_failed', question, { details });
}

/** Only a literal address: a name could be made to point anywhere. */
export function originOf(ip: string, port: number): string {
  const version = isIP(ip);
  if (version === 0) throw new InvalidInputError('an agent is addressed by its IP');
  return version === 6 ? `http://[${ip}]:${port}` : `http://${ip}:${port}`;
}
