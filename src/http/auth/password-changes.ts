import { ControlPlaneError, InvalidInputError } from '../../errors.ts';
import type { Accounts } from '../../storage/accounts.ts';
import type { Audit } from '../../storage/audit.ts';
import type { MailOrder } from '../../storage/mail-order.ts';
import type { PasswordResets } from '../../storage/password-resets.ts';
import type { Users } from '../../storage/users.ts';
import type { Caller } from '../endpoint.ts';
import type { CheckAttempt } from './attempts.ts';
import { ownEntry } from './audit-entry.ts';
import type { Authentication } from './authentication.ts';
import { callerOf, type Limits } from './limits.ts';
import { requireGoodPassword } from './password-rules.ts';
import type { Passwords } from './passwords.ts';

export type QueueMail = (order: MailOrder) => Promise<void>;

export interface PasswordChangeOptions {
  readonly users: Pick<Users, 'findById'>;
  readonly accounts: Pick<Accounts, 'changePassword'>;
  readonly resets: Pick<PasswordResets, 'find' | 'consume'>;
  readonly audit: Audit;
  readonly authentication: Pick<Authentication, 'forget'>;
  readonly passwords: Passwords;
  readonly attempts: CheckAttempt;
  readonly forgive: (names: readonly string[]) => Promise<void>;
  readonly limits: Pick<Limits, 'resets'>;
  readonly queueMail: QueueMail;
  /** A mail lies there: only a hint. */
  readonly mailSoon: () => void;
  readonly now: () => number;
  readonly newId: () => string;
}

export interface PasswordChanges {
  /** @throws ControlPlaneError `wrong_password`, `invalid_input` or `limit_exceeded` */
  change(
    change: {
      readonly userId: string;
      readonly sessionId: string;
      readonly currentPassword: string;
      readonly newPassword: string;
    },
    caller: Caller,
  ): Promise<void>;
  /** Does the same for every address. @throws ControlPlaneError `limit_exceeded` */
  requestReset(email: string, caller: Caller): Promise<void>;
  /** @throws ControlPlaneError `reset_token_invalid` or `invalid_input` */
  confirmReset(by: { token: string; password: string }, caller: Caller): Promise<void>;
}

export function createPasswordChanges(options: PasswordChangeOptions): PasswordChanges {
  const { users, accounts, resets, audit, passwords, attempts, limits, queueMail } = options;
  const newMailKey = (kind: string) => `${kind}/${options.newId()}`;
  /** On this node it counts at once, and its owner is to hear of it. */
  function conclude(userId: string): void {
    options.authentication.forget(userId);
    options.mailSoon();
  }
  return {
    async change({ userId, sessionId, currentPassword, newPassword }, caller) {
      const user = await users.findById(userId);
      if (!user) throw new ControlPlaneError('unauthenticated', 'this account is gone');
      requireGoodPassword(newPassword, { field: 'newPassword', owner: user });
      if (newPassword === currentPassword) throw unchanged();
      const from = user.passwordHash;
      const isRight = await attempts({ caller, userId, name: user.username }, () =>
        passwords.verify(currentPassword, from),
      );
      const entry = ownEntry('password.changed', userId, caller);
      const to = isRight ? await passwords.hash(newPassword) : null;
      const change = {
        ...{ userId, sessionId, from, at: new Date(options.now()), audit: entry },
        mailKey: newMailKey('password_changed'),
      };
      if (to !== null && (await accounts.changePassword({ ...change, to })))
        return conclude(userId);
      await audit.write({ ...entry, outcome: 'refused' });
      throw new ControlPlaneError('wrong_password', 'the current password is another one');
    },
    async requestReset(address, caller) {
      const recipient = address.toLowerCase();
      // Nobody is looked up here, so no answer can tell whether there was somebody to be found.
      const who = { ip: caller.ip, subjectId: null };
      await limits.resets.ofCaller.take(callerOf(caller.ip), who);
      await limits.resets.ofAccount.take(recipient, who);
      const key = newMailKey('password_reset');
      await audit.write(ownEntry('password_reset.requested', null, caller, { recipient }));
      await queueMail({ key, kind: 'password_reset', recipient, params: {} });
    },
    async confirmReset({ token, password }, caller) {
      const user = await resets.find(token);
      if (!user) throw useless();
      requireGoodPassword(password, { field: 'password', owner: user });
      const passwordHash = await passwords.hash(password);
      const entry = { ...ownEntry('password.reset', user.id, caller), actorId: null };
      const mailKey = newMailKey('password_changed');
      const how = { userId: user.id, passwordHash, audit: entry, mailKey };
      if (!(await resets.consume(token, how))) throw useless();
      await options.forgive([user.email, user.username]);
      conclude(user.id);
    },
  };
}

const useless = () =>
  new ControlPlaneError('reset_token_invalid', 'this link has been used, or is too old');

function unchanged(): InvalidInputError {
  const message = 'is the current one';
  return new InvalidInputError(`newPassword: ${message}`, {
    details: { errors: [{ field: 'body.newPassword', message }] },
  });
}
