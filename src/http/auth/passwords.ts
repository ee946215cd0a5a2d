import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

import { UnavailableError } from '../../errors.ts';

const derive = promisify(argon2) as (
  algorithm: 'argon2id',
  parameters: Argon2Parameters,
) => Promise<Buffer>;

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const TAG_LENGTH = 32;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

export interface Passwords {
  /** @returns a PHC string, which names its algorithm and costs */
  hash(password: string): Promise<string>;
  /** `hash: null` takes as long as a real one and answers false. */
  verify(password: string, hash: string | null): Promise<boolean>;
}

export function createDerivations({ memory, passes, parallelism }: typeof COST): Passwords {
  const costs = `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}`;
  /** That nobody's password has: an unknown user costs as much as a known one. */
  const nobody = `${costs}$${'A'.repeat(22)}$${'A'.repeat(43)}`;
  return {
    async hash(message) {
      const nonce = randomBytes(16);
      const cost = { memory, passes, parallelism };
      const tag = await derive('argon2id', { message, nonce, tagLength: TAG_LENGTH, ...cost });
      const encode = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
      return `${costs}$${encode(nonce)}$${encode(tag)}`;
    },
    async verify(message, hash) {
      const parts = PHC.exec(hash ?? nobody);
      if (!parts) throw new Error('a stored password hash is not readable');
      const [, m, t, p, nonce = '', tag = ''] = parts;
      const expected = Buffer.from(tag, 'base64');
      const actual = await derive('argon2id', {
        ...{ message, nonce: Buffer.from(nonce, 'base64'), tagLength: expected.length },
        ...{ memory: Number(m), passes: Number(t), parallelism: Number(p) },
      });
      return timingSafeEqual(actual, expected) && hash !== null;
    },
  };
}

export const { hash: hashPassword, verify: verifyPassword } = createDerivations(COST);

/** 38 MiB of memory, and half of the threads that files and names are looked up with. */
const IN_FLIGHT_MAX = 2;
/** Some seconds of work. */
const WAITING_MAX = 100;

/** A crowd that signs in waits for its turn: it must not take the memory of everybody else. */
export function createPasswords(
  derivations: Passwords = { hash: hashPassword, verify: verifyPassword },
): Passwords {
  const waiting: (() => void)[] = [];
  let inFlight = 0;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting.length >= WAITING_MAX) {
      throw new UnavailableError('too many people are signing in at this moment');
    }
    if (inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else inFlight += 1;
    try {
      return await work();
    } finally {
      // Whoever is next takes over this turn.
      const next = waiting.shift();
      if (next) next();
      else inFlight -= 1;
    }
  }

  return {
    hash: (password) => inTurn(() => derivations.hash(password)),
    verify: (password, hash) => inTurn(() => derivations.verify(password, hash)),
  };
}
