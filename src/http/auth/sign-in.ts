import { ControlPlaneError } from '../../errors.ts';
import { type Accounts, accountExists } from '../../storage/accounts.ts';
import type { Audit } from '../../storage/audit.ts';
import type { Sessions } from '../../storage/sessions.ts';
import type { Names, StoredUser, Users } from '../../storage/users.ts';
import type { Caller } from '../endpoint.ts';
import type { CheckAttempt } from './attempts.ts';
import { ownEntry } from './audit-entry.ts';
import type { Authentication } from './authentication.ts';
import { callerOf, type Limits } from './limits.ts';
import { hashToken } from './opaque-token.ts';
import { requireGoodPassword } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import type { Tokens } from './tokens.ts';

export interface SignedIn {
  readonly user: StoredUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Of the access token, in seconds. */
  readonly expiresIn: number;
}

export interface SignInOptions {
  readonly users: Pick<Users, 'findById' | 'findByIdentifier' | 'findTaken'>;
  readonly accounts: Pick<Accounts, 'register'>;
  readonly sessions: Pick<Sessions, 'findRole' | 'open' | 'rotate'>;
  readonly audit: Audit;
  readonly tokens: Pick<Tokens, 'issueAccess' | 'issueRefresh' | 'verifyRefresh'>;
  readonly authentication: Pick<Authentication, 'forget'>;
  readonly passwords: Passwords;
  readonly attempts: CheckAttempt;
  readonly limits: Pick<Limits, 'registrations' | 'sessions'>;
  readonly refreshTtlS: number;
  readonly now: () => number;
  readonly newId: () => string;
}

export interface Registration extends Names {
  readonly email: string;
  readonly username: string;
  readonly password: string;
}

export interface SignIn {
  /** @throws ControlPlaneError `account_exists`, `invalid_input` or `limit_exceeded` */
  register(wanted: Registration, caller: Caller): Promise<SignedIn>;
  /** @throws ControlPlaneError `unauthenticated`, the same for whatever is wrong; `limit_exceeded` */
  login(by: { identifier: string; password: string }, caller: Caller): Promise<SignedIn>;
  /** @throws ControlPlaneError `unauthenticated` or `limit_exceeded` */
  refresh(refreshToken: string, caller: Caller): Promise<SignedIn>;
}

const wrong = () => new ControlPlaneError('unauthenticated', 'unknown account or wrong password');
/** Whoever it was, it was not shown to be the owner. */
const byNobody = { actorId: null, outcome: 'refused' } as const;
const ended = () => new ControlPlaneError('unauthenticated', 'this sign-in has ended');

export function createSignIn(options: SignInOptions): SignIn {
  const { users, accounts, sessions, audit, passwords, attempts, limits, now, newId } = options;
  const { issue, expiryOf } = createIssuing(options);

  const takeOfCaller = ({ ip }: Caller, subjectId: string) =>
    limits.sessions.ofCaller.take(callerOf(ip), { ip, subjectId });
  /** Only of whoever has shown to be the owner: nobody else can use it up. */
  const takeOfAccount = ({ ip }: Caller, subjectId: string) =>
    limits.sessions.ofAccount.take(subjectId, { ip, subjectId });

  return {
    async register({ password, ...wanted }, caller) {
      const who = { ip: caller.ip, subjectId: null };
      await limits.registrations.ofCaller.take(callerOf(caller.ip), who);
      requireGoodPassword(password, { field: 'password', owner: wanted });
      const field = await users.findTaken(wanted);
      if (field) throw accountExists(field);
      const passwordHash = await passwords.hash(password);
      const user = { ...wanted, id: newId(), role: 'user', passwordHash } as const;
      const { session, ...issued } = await issue(user.id, newId(), caller);
      const entry = ownEntry('account.registered', user.id, caller);
      return { user: await accounts.register(user, { session, audit: entry }), ...issued };
    },
    async login({ identifier, password }, caller) {
      const user = await users.findByIdentifier(identifier);
      const attempt = { caller, userId: user?.id ?? null, name: identifier };
      const isRight = await attempts(attempt, () =>
        passwords.verify(password, user?.passwordHash ?? null),
      );
      if (user && isRight) {
        await takeOfCaller(caller, user.id);
        await takeOfAccount(caller, user.id);
        const { session, ...issued } = await issue(user.id, newId(), caller);
        const checked = {
          passwordHash: user.passwordHash,
          audit: ownEntry('session.opened', user.id, caller, { sessionId: session.id }),
        };
        if (await sessions.open(session, checked)) return { user, ...issued };
      }
      // What was typed is not kept: it may be a password in the wrong place.
      const entry = ownEntry('session.opened', user?.id ?? null, caller);
      await audit.write({ ...entry, ...byNobody });
      throw wrong();
    },
    async refresh(refreshToken, caller) {
      const { userId, sid: sessionId } = await options.tokens.verifyRefresh(refreshToken);
      await takeOfCaller(caller, userId);
      const user = await users.findById(userId);
      if (!user) throw ended();
      const { session, ...issued } = await issue(userId, sessionId, caller);
      // Before it is rotated: refused afterwards, its owner would have lost both of its tokens.
      const isAlive = await sessions.findRole({ id: sessionId, userId, at: session.at });
      if (isAlive) await takeOfAccount(caller, userId);
      const replayAudit = {
        ...ownEntry('session.replayed', userId, caller, { sessionId }),
        ...byNobody,
      };
      const outcome = await sessions.rotate({
        ...{ sessionId, userId, replayAudit, at: session.at, expiresAt: session.expiresAt },
        ...{ hash: hashToken(refreshToken), nextHash: session.refreshHash },
        forgetBefore: expiryOf(now(), -1),
      });
      if (outcome === 'rotated') return { user, ...issued };
      options.authentication.forget(userId);
      throw ended();
    },
  };
}

/** Both tokens of a session, and what is kept of them. */
function createIssuing({ tokens, refreshTtlS, now, newId }: SignInOptions) {
  const expiryOf = (at: number, sign = 1) => new Date(at + sign * refreshTtlS * 1000);
  async function issue(userId: string, sessionId: string, { userAgent }: Caller) {
    const at = now();
    const sid = sessionId;
    const access = await tokens.issueAccess({ userId, sid });
    const { token: refreshToken } = await tokens.issueRefresh({ userId, sid, jti: newId() });
    const session = {
      ...{ id: sessionId, userId, userAgent, refreshHash: hashToken(refreshToken) },
      ...{ at: new Date(at), expiresAt: expiryOf(at) },
    };
    return { session, accessToken: access.token, refreshToken, expiresIn: access.expiresIn };
  }
  return { issue, expiryOf };
}
