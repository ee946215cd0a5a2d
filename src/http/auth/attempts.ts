import type { Caller } from '../endpoint.ts';
import { callerOf, type Limits } from './limits.ts';

export interface Attempt {
  readonly caller: Caller;
  /** null: nobody knows whose account it is. */
  readonly userId: string | null;
  readonly name: string;
}

/**
 * Guesses at a password: each is counted before it is checked, so that many at the same moment
 * are not one. What was right does not count.
 */
export type CheckAttempt = (attempt: Attempt, isRight: () => Promise<boolean>) => Promise<boolean>;

/** By what was typed, whether somebody has that name or not: a count tells nobody who has. */
const keyOf = (name: string) => `name ${name.toLowerCase()}`;

/** Whoever has shown in another way to be the owner need not wait for what others have guessed. */
export function createForgiveness({ signIns }: Pick<Limits, 'signIns'>) {
  return async (names: readonly string[]): Promise<void> => {
    await Promise.all(names.map((name) => signIns.ofAccount.reset(keyOf(name))));
  };
}

export function createAttempts({ signIns }: Pick<Limits, 'signIns'>): CheckAttempt {
  const { ofAccount, ofCaller } = signIns;
  return async ({ caller, userId, name }, check) => {
    const who = { ip: caller.ip, subjectId: userId };
    const account = keyOf(name);
    const place = callerOf(caller.ip);
    await ofCaller.take(place, who);
    await ofAccount.take(account, who);
    const isRight = await check();
    if (isRight) await Promise.all([ofAccount.reset(account), ofCaller.giveBack(place)]);
    return isRight;
  };
}
