import { LRUCache } from 'lru-cache';

import type { ApiTokens } from '../../storage/api-tokens.ts';
import type { Sessions } from '../../storage/sessions.ts';
import { hashToken } from './opaque-token.ts';
import { type Authenticate, type Principal, SCOPES } from './principal.ts';
import { refused, type Tokens } from './tokens.ts';

/**
 * What was found out about a token is believed this long, counted from before it was asked for:
 * so long may what revokes it, or changes a role, take to be known on other nodes.
 */
const CACHE_MS = 5_000;

/** The scheme in any case (RFC 9110, 11.1), the token as it is. */
const BEARER = /^[Bb][Ee][Aa][Rr][Ee][Rr] (?:([\w-]+\.[\w-]+\.[\w-]+)|(zpk_[\w-]{43}))$/;

export interface Authentication {
  readonly authenticate: Authenticate;
  /** Something of this account has been revoked or changed: on this node it counts at once. */
  forget(userId: string): void;
}

interface Known {
  readonly principal: Principal;
  readonly untilMs: number;
}

export interface AuthenticationOptions {
  readonly tokens: Pick<Tokens, 'verifyAccess'>;
  readonly sessions: Pick<Sessions, 'findRole'>;
  readonly apiTokens: Pick<ApiTokens, 'find'>;
  readonly now: () => number;
}

/** Access tokens and API tokens, each with one indexed read whenever it is not known by heart. */
export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { tokens, sessions, apiTokens, now } = options;
  const known = new LRUCache<string, Known>({ max: 5_000 });
  let changes = 0;

  async function fromAccess(token: string): Promise<Principal> {
    const { userId, sid: credentialId, expiresAt } = await tokens.verifyAccess(token);
    const role = await sessions.findRole({ id: credentialId, userId, at: new Date(now()) });
    if (!role) throw refused();
    return { userId, role, expiresAt, credentialId, scopes: null };
  }

  async function fromApiToken(token: string): Promise<Principal> {
    const found = await apiTokens.find(hashToken(token), new Date(now()));
    if (!found) throw refused();
    const { userId, expiresAt, id: credentialId } = found;
    const scopes = SCOPES.filter((scope) => found.scopes.includes(scope));
    const role = scopes.includes('admin') ? found.role : 'user';
    const end = expiresAt && { expiresAt: expiresAt.getTime() };
    return { userId, role, ...end, credentialId, scopes };
  }

  return {
    async authenticate(authorization = '') {
      const found = known.get(authorization);
      const at = now();
      if (found && at < found.untilMs) return found.principal;
      const [, accessToken, apiToken] = BEARER.exec(authorization) ?? [];
      const seen = changes;
      const principal = accessToken
        ? await fromAccess(accessToken)
        : apiToken
          ? await fromApiToken(apiToken)
          : undefined;
      if (!principal) throw refused();
      const untilMs = Math.min(at + CACHE_MS, principal.expiresAt ?? Number.POSITIVE_INFINITY);
      // What was read while something changed may be what it was before.
      if (seen === changes) known.set(authorization, { principal, untilMs });
      return principal;
    },
    forget(userId) {
      changes += 1;
      for (const [authorization, { principal }] of known.entries()) {
        if (principal.userId === userId) known.delete(authorization);
      }
    },
  };
}
