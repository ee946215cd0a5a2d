import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';

import { ControlPlaneError } from '../../errors.ts';
import type { Authenticate, Principal } from './principal.ts';

const ALGORITHM = 'HS256';
const ACCESS_AUDIENCE = 'zpack:access';

/** A verified token is believed this long without verifying it again, and never past its end. */
const CACHE_MS = 5_000;

export interface TokenOptions {
  readonly secret: string;
  readonly issuer: string;
  readonly accessTtlS: number;
  readonly now: () => number;
}

export interface Tokens {
  issueAccess(principal: Principal): Promise<{ token: string; expiresIn: number }>;
  readonly authenticate: Authenticate;
}

interface Verified {
  readonly principal: Principal;
  readonly untilMs: number;
}

const claims = z.object({ sub: z.string(), role: z.enum(['user', 'admin']), exp: z.number() });

/** JSON Web Tokens with one algorithm, one issuer and one audience: nothing else verifies. */
export function createTokens({ secret, issuer, accessTtlS, now }: TokenOptions): Tokens {
  const key = new TextEncoder().encode(secret);
  const verified = new LRUCache<string, Verified>({ max: 5_000 });

  async function verify(token: string): Promise<Principal & { expiresAt: number }> {
    const options = {
      algorithms: [ALGORITHM],
      issuer,
      audience: ACCESS_AUDIENCE,
      currentDate: new Date(now()),
    };
    try {
      const { payload } = await jwtVerify(token, key, options);
      const { sub, role, exp } = claims.parse(payload);
      return { userId: sub, role, expiresAt: exp * 1000 };
    } catch (cause) {
      if (cause instanceof errors.JOSEError || cause instanceof z.ZodError) throw refused(cause);
      throw cause;
    }
  }

  return {
    async issueAccess({ userId, role }) {
      const issuedAt = Math.floor(now() / 1000);
      const token = await new SignJWT({ role })
        .setProtectedHeader({ alg: ALGORITHM })
        .setSubject(userId)
        .setIssuer(issuer)
        .setAudience(ACCESS_AUDIENCE)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + accessTtlS)
        .sign(key);
      return { token, expiresIn: accessTtlS };
    },
    async authenticate(authorization = '') {
      const known = verified.get(authorization);
      if (known && now() < known.untilMs) return known.principal;
      const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization)?.[1];
      if (!token) throw refused();
      const principal = await verify(token);
      const untilMs = Math.min(now() + CACHE_MS, principal.expiresAt);
      verified.set(authorization, { principal, untilMs });
      return principal;
    },
  };
}

/** The cause of a refusal stays with us: it names no secret, but helps whoever guesses. */
function refused(cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('unauthenticated', 'a valid access token is required', { cause });
}
