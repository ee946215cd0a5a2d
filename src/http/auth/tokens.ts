import { createHash } from 'node:crypto';

import { decodeJwt, errors, type JWTHeaderParameters, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';

import { ControlPlaneError } from '../../errors.ts';

const ALGORITHM = 'HS256';
const KID_LENGTH = 12;
const IDE_AUDIENCE = 'zpack:ide';

export interface TokenOptions {
  readonly secret: string;
  /** Keys that signed before. Each verifies until its end (Unix ms). */
  readonly oldSecrets: readonly { readonly secret: string; readonly until: number }[];
  readonly issuer: string;
  readonly accessTtlS: number;
  readonly refreshTtlS: number;
  readonly ideTtlS: number;
  readonly ideCookieTtlS: number;
  readonly now: () => number;
}

/** One container, in its present life, for whoever had this role by this session or API token. */
const ide = z.object({
  vmid: z.number().int(),
  instanceId: z.string(),
  sid: z.string(),
  role: z.enum(['user', 'admin']),
});

/** Each kind has an audience of its own, so none is taken for another. */
const KINDS = {
  access: { audience: 'zpack:access', claims: z.object({ sid: z.string() }) },
  refresh: { audience: 'zpack:refresh', claims: z.object({ sid: z.string(), jti: z.string() }) },
  ide: { audience: IDE_AUDIENCE, claims: ide.extend({ jti: z.string() }) },
  ideCookie: { audience: 'zpack:ide-cookie', claims: ide },
} as const;
type Kind = keyof typeof KINDS;
type Claims<K extends Kind> = z.output<(typeof KINDS)[K]['claims']>;

type Verified<K extends Kind> = Claims<K> & {
  readonly userId: string;
  /** Unix ms. */
  readonly expiresAt: number;
};

export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

type Issue<K extends Kind> = (subject: Claims<K> & { userId: string }) => Promise<IssuedToken>;
/** @throws ControlPlaneError `unauthenticated` */
type Verify<K extends Kind> = (token: string) => Promise<Verified<K>>;

export interface Tokens {
  readonly issueAccess: Issue<'access'>;
  readonly issueRefresh: Issue<'refresh'>;
  /** Opens the IDE of one container, once. */
  readonly issueIde: Issue<'ide'>;
  /** Keeps it open. */
  readonly issueIdeCookie: Issue<'ideCookie'>;
  readonly verifyAccess: Verify<'access'>;
  readonly verifyRefresh: Verify<'refresh'>;
  readonly verifyIde: Verify<'ide'>;
  readonly verifyIdeCookie: Verify<'ideCookie'>;
}

/** Says so of itself: nothing has been verified. For whoever must not pass one on. */
export function looksLikeIdeToken(text: string): boolean {
  try {
    return decodeJwt(text).aud === IDE_AUDIENCE;
  } catch {
    return false;
  }
}

const always = z.object({ sub: z.string(), exp: z.number() });

/**
 * JSON Web Tokens with one algorithm, one issuer and an audience for each kind: nothing else
 * verifies. `kid` names the key, so that keys can be changed while tokens of the old one live.
 */
export function createTokens(options: TokenOptions): Tokens {
  const { secret, oldSecrets, issuer, now } = options;
  const { accessTtlS, refreshTtlS, ideTtlS, ideCookieTtlS } = options;
  const keys = new Map<string, { readonly key: Uint8Array; readonly until: number }>();
  for (const old of [...oldSecrets, { secret, until: Number.POSITIVE_INFINITY }]) {
    keys.set(kidOf(old.secret), { key: keyOf(old.secret), until: old.until });
  }
  const header = { alg: ALGORITHM, kid: kidOf(secret) };
  const signingKey = keyOf(secret);

  function findKey({ kid = '' }: Partial<JWTHeaderParameters>): Uint8Array {
    const found = keys.get(kid);
    if (found && now() < found.until) return found.key;
    throw new errors.JWKSNoMatchingKey();
  }

  function issuing<K extends Kind>(kind: K, ttlS: number): Issue<K> {
    const { audience, claims } = KINDS[kind];
    return async ({ userId, ...subject }) => {
      const issuedAt = Math.floor(now() / 1000);
      const token = await new SignJWT(claims.parse(subject))
        .setProtectedHeader(header)
        .setSubject(userId)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + ttlS)
        .sign(signingKey);
      return { token, expiresIn: ttlS };
    };
  }

  function verifying<K extends Kind>(kind: K): Verify<K> {
    const { audience, claims } = KINDS[kind];
    const ofKind = claims.extend(always.shape);
    return async (token) => {
      const currentDate = new Date(now());
      const expected = { algorithms: [ALGORITHM], issuer, audience, currentDate };
      try {
        const { payload } = await jwtVerify(token, findKey, expected);
        const { sub: userId, exp, ...rest } = ofKind.parse(payload);
        return { ...rest, userId, expiresAt: exp * 1000 } as unknown as Verified<K>;
      } catch (cause) {
        if (cause instanceof errors.JOSEError || cause instanceof z.ZodError) throw refused(cause);
        throw cause;
      }
    };
  }

  return {
    issueAccess: issuing('access', accessTtlS),
    issueRefresh: issuing('refresh', refreshTtlS),
    issueIde: issuing('ide', ideTtlS),
    issueIdeCookie: issuing('ideCookie', ideCookieTtlS),
    verifyAccess: verifying('access'),
    verifyRefresh: verifying('refresh'),
    verifyIde: verifying('ide'),
    verifyIdeCookie: verifying('ideCookie'),
  };
}

const keyOf = (secret: string) => new TextEncoder().encode(secret);

const kidOf = (secret: string) =>
  createHash('sha256').update(secret).digest('base64url').slice(0, KID_LENGTH);

/** The cause of a refusal stays with us: it names no secret, but helps whoever guesses. */
export function refused(cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('unauthenticated', 'a valid access token is required', { cause });
}
