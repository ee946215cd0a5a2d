import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';
import { isCommon } from './leaked-passwords.ts';

/** Above this only the hash would grow: nobody types it. */
const LENGTH_MAX = 1024;

export const newPassword = z.string().min(8).max(LENGTH_MAX);
/** One that may be older than our rules. */
export const anyPassword = z.string().min(1).max(LENGTH_MAX);

/** @throws InvalidInputError for what is tried first by whoever guesses */
export function requireGoodPassword(
  password: string,
  { field, owner }: { readonly field: string; readonly owner: { email: string; username: string } },
): void {
  const plain = password.toLowerCase();
  const names = [owner.email, owner.username].map((name) => name.toLowerCase());
  const isName = names.includes(plain);
  if (!isName && !isCommon(plain)) return;
  const message = isName ? 'is your own name' : 'is one that everybody tries first';
  throw new InvalidInputError(`${field}: ${message}`, {
    details: { errors: [{ field: `body.${field}`, message }] },
  });
}
