import { LRUCache } from 'lru-cache';

import { NotFoundError } from '../../errors.ts';
import type { Roles } from '../../storage/credentials.ts';
import type { UsedTokens } from '../../storage/used-tokens.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import { maySee, type Principal } from '../auth/principal.ts';
import { refused, type Tokens } from '../auth/tokens.ts';

/** What was found out about a session is believed this long. */
const CACHE_MS = 2_000;

/** Who may use an IDE, and whose cookie says so until when. */
export interface Admitted {
  readonly principal: Principal;
  readonly entry: FleetEntry;
  /** Unix ms. */
  readonly expiresAt: number;
}

export interface Admission {
  /** A token for a URL. Whether the container is theirs has been looked at. */
  invite(entry: FleetEntry, principal: Principal): ReturnType<Tokens['issueIde']>;
  /**
   * By a token that came in a URL, which is good once.
   * @throws ControlPlaneError `unauthenticated`, NotFoundError, UnavailableError
   */
  redeem(token: string, vmid: number): Promise<Admitted>;
  /** By cookies, of which one must be good. Throws as `redeem` does. */
  admit(cookies: readonly string[], vmid: number): Promise<Admitted>;
  /** A cookie for whoever has been admitted; null: what he has lasts for long enough. */
  renew(admitted: Admitted): ReturnType<Tokens['issueIdeCookie']> | null;
  cookieFor(admitted: Admitted): ReturnType<Tokens['issueIdeCookie']>;
}

export interface AdmissionOptions {
  readonly tokens: Pick<Tokens, 'issueIde' | 'issueIdeCookie' | 'verifyIde' | 'verifyIdeCookie'>;
  readonly cookieTtlS: number;
  readonly usedTokens: UsedTokens;
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  readonly find: FindEntry;
  readonly now: () => number;
  readonly randomId: () => string;
}

type Verified = Awaited<ReturnType<Tokens['verifyIdeCookie']>>;

/** Who gets into an IDE: by a token once, by the cookie that it becomes from then on. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { tokens, cookieTtlS, usedTokens, find, now, randomId } = options;
  const roleOf = createRoleLookup(options);

  /** A token is of a container in one life, and counts as long as what it was asked for with. */
  async function check(verified: Verified, vmid: number): Promise<Admitted> {
    const { userId, sid: credentialId, role, instanceId, expiresAt } = verified;
    if (verified.vmid !== vmid) throw unknown(vmid);
    if ((await roleOf(credentialId)) !== role) throw refused();
    const principal: Principal = { userId, role, credentialId, scopes: null };
    const entry = await find(vmid);
    if (entry?.id !== instanceId || !maySee(principal, entry.customerId)) throw unknown(vmid);
    return { principal, entry, expiresAt };
  }

  const cookieFor: Admission['cookieFor'] = ({ principal, entry }) =>
    tokens.issueIdeCookie(claimsOf(entry, principal));

  return {
    invite: (entry, principal) =>
      tokens.issueIde({ ...claimsOf(entry, principal), jti: randomId() }),
    async redeem(token, vmid) {
      const verified = await tokens.verifyIde(token);
      const admitted = await check(verified, vmid);
      const leftS = Math.max(1, Math.ceil((verified.expiresAt - now()) / 1000));
      if (!(await usedTokens.take(`ide:${verified.jti}`, leftS))) throw refused();
      return admitted;
    },
    async admit(cookies, vmid) {
      let failure: unknown = refused();
      for (const cookie of cookies) {
        try {
          return await check(await tokens.verifyIdeCookie(cookie), vmid);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },
    renew: (admitted) =>
      admitted.expiresAt - now() < (cookieTtlS * 1000) / 2 ? cookieFor(admitted) : null,
    cookieFor,
  };
}

function claimsOf(
  { vmid, id: instanceId }: FleetEntry,
  { userId, role, credentialId: sid }: Principal,
) {
  return { userId, vmid, instanceId, sid, role };
}

function createRoleLookup({ findRoles, now }: Pick<AdmissionOptions, 'findRoles' | 'now'>) {
  type Known = { readonly role: 'user' | 'admin' | undefined; readonly untilMs: number };
  const known = new LRUCache<string, Known>({ max: 5_000 });
  return async (credentialId: string) => {
    const at = now();
    const found = known.get(credentialId);
    if (found && at < found.untilMs) return found.role;
    const role = (await findRoles([credentialId], new Date(at))).get(credentialId);
    known.set(credentialId, { role, untilMs: at + CACHE_MS });
    return role;
  };
}

/** Somebody else's and none at all are not told apart. */
const unknown = (vmid: number) => new NotFoundError(`there is no container ${vmid}`);
