import { randomBytes, randomUUID } from 'node:crypto';

import type { BillingOf } from '../http/account-view.ts';
import { createAttempts, createForgiveness } from '../http/auth/attempts.ts';
import { createAuthentication } from '../http/auth/authentication.ts';
import { createLimits, type Limits } from '../http/auth/limits.ts';
import { createPasswordChanges, type QueueMail } from '../http/auth/password-changes.ts';
import { createPasswords } from '../http/auth/passwords.ts';
import type { Authenticate } from '../http/auth/principal.ts';
import { createSignIn } from '../http/auth/sign-in.ts';
import { createTokens, type Tokens } from '../http/auth/tokens.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { accountEndpoints } from '../http/routes/account.ts';
import { apiTokenEndpoints } from '../http/routes/api-tokens.ts';
import { authEndpoints } from '../http/routes/auth.ts';
import { passwordEndpoints } from '../http/routes/passwords.ts';
import { sessionEndpoints } from '../http/routes/sessions.ts';
import { userEndpoints } from '../http/routes/users.ts';
import { createAccounts } from '../storage/accounts.ts';
import { createApiTokens } from '../storage/api-tokens.ts';
import { createAudit } from '../storage/audit.ts';
import { createPasswordResets, type PasswordResets } from '../storage/password-resets.ts';
import { createSessions } from '../storage/sessions.ts';
import { createUsers } from '../storage/users.ts';
import type { Foundation } from './foundation.ts';

type AccountParts = Pick<Foundation, 'config' | 'database' | 'redis' | 'now'>;

/** What accounts are told of, and tell, of mails and money. */
export interface AccountPorts {
  readonly queueMail: QueueMail;
  readonly mailSoon: () => void;
  readonly billingOf: BillingOf;
  readonly rolesSoon: () => void;
}

export interface AccountSide {
  readonly authenticate: Authenticate;
  readonly endpoints: readonly AnyEndpoint[];
  readonly limits: Limits;
  readonly tokens: Tokens;
}

/** Also for whoever sends mails: a link is made when it is sent. */
export const createResets = ({
  config,
  database,
  now,
}: Pick<Foundation, 'config' | 'database' | 'now'>): PasswordResets =>
  createPasswordResets({
    ...{ prisma: database.prisma, ttlS: config.auth.resetTtlS, now, randomToken },
  });

/** Accounts, sign-ins and tokens: who may ask, and how they come to be asked of. */
export function createAccountSide(parts: AccountParts, ports: AccountPorts): AccountSide {
  const { config, database, redis, now } = parts;
  const { billingOf, queueMail, mailSoon, rolesSoon } = ports;
  const users = createUsers(database.prisma);
  const accounts = createAccounts(database.prisma);
  const sessions = createSessions(database);
  const apiTokens = createApiTokens(database);
  const audit = createAudit(database.prisma);
  const tokens = createTokens({ ...config.auth, now });
  const authentication = createAuthentication({ tokens, sessions, apiTokens, now });
  const limits = createLimits({
    redis,
    prefix: config.redis.prefix,
    max: config.limits,
    onReached: (limit, { ip, subjectId }) =>
      audit.write({
        ...{ actorId: null, subjectId, action: 'limit.reached' },
        ...{ outcome: 'refused', ip, detail: { limit } },
      }),
  });
  const common = {
    ...{ users, accounts, sessions, audit, tokens, authentication, limits, now },
    ...{ passwords: createPasswords(), attempts: createAttempts(limits), newId: randomUUID },
  };
  const { refreshTtlS } = config.auth;
  const mailing = {
    forgive: createForgiveness(limits),
    resets: createResets(parts),
    queueMail,
    mailSoon,
  };
  const changes = createPasswordChanges({ ...common, ...mailing });
  return {
    authenticate: authentication.authenticate,
    ...{ limits, tokens },
    endpoints: [
      ...authEndpoints({ ...common, signIn: createSignIn({ ...common, refreshTtlS }), billingOf }),
      ...passwordEndpoints(changes),
      ...accountEndpoints({ users, audit, billingOf }),
      ...sessionEndpoints({ sessions, authentication, now }),
      ...apiTokenEndpoints({ ...common, apiTokens, randomToken }),
      ...userEndpoints({ users, accounts, audit, authentication, rolesSoon }),
    ],
  };
}

const randomToken = () => randomBytes(32).toString('base64url');
