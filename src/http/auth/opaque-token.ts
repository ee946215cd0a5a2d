import { createHash } from 'node:crypto';

/** What is kept of a token: who reads it can do nothing with it. The token itself is random enough. */
export const hashToken = (token: string): string =>
  createHash('sha256').update(token).digest('base64url');
