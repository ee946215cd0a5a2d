import { PASSWORD } from '../support/accounts.ts';
import type { Machine, Target } from './authorisation-world.ts';

/**
 * Who may ask this.
 * - `public`: everybody, and no token makes a difference
 * - `gate`: one machine that brings a secret of the configuration, and no person
 * - `signed_in`: everybody by a sign-in or a fitting API token, about what is theirs
 * - `own`: the same, of one container that must be theirs, unless they are an administrator
 * - `session_only`: everybody by a sign-in
 * - `own_session`: the same, of something that must be theirs, whoever they are
 * - `admin`: administrators, by an API token only if that has the scope for it
 * - `admin_session`: administrators by a sign-in
 */
export type Access =
  | 'public'
  | 'gate'
  | 'signed_in'
  | 'own'
  | 'session_only'
  | 'own_session'
  | 'admin'
  | 'admin_session';

export interface Row {
  readonly access: Access;
  /** What answers whoever may: a status, and why if it is a problem. */
  readonly done: string;
  /** Where it is another one for whoever has not paid. */
  readonly suspended?: string;
  /** Where it is another one for an administrator. */
  readonly admin?: string;
  /** Of a gate: whom it opens for, and what all others are told if that is not 401. */
  readonly opensFor?: Machine;
  readonly refused?: string;
  /** What the request is about: its id takes the place of the parameters of the path. */
  readonly target?: Target;
  readonly body?: (targetId: string) => unknown;
  /** What stands behind the path, from its question mark. */
  readonly query?: string;
  /** The sign-in that asks does not survive it, so it is one of its own. */
  readonly endsSession?: true;
}

const running = { access: 'own', target: 'running' } as const;
const stopped = { access: 'own', target: 'stopped' } as const;
const read = { ...running, done: '200' } as const;
/** Nothing is running that could be asked: the container is the caller's, and off. */
const game = { ...stopped, done: '409 host_not_running' } as const;
const dev = { ...stopped, done: '409 not_a_dev_container' } as const;
/** The same of its files, which are its agent's. */
const file = { ...game, query: '?path=a.txt&uploadId=upload-1' } as const;
const open = { access: 'public', done: '200' } as const;
const account = { access: 'session_only', done: '200' } as const;
const admin = { access: 'admin', done: '200' } as const;
const unpaid = '409 suspended';
/** Administrators pay nothing. */
const exempt = '409 exempt';

/** What each operation does with each caller. A new endpoint needs a row. */
export const TABLE: Readonly<Record<string, Row>> = {
  getHealth: open,
  getLiveness: open,
  getReadiness: open,

  // Somebody has this name already, which is found out without a password being hashed.
  register: {
    ...{ access: 'public', done: '409 account_exists' },
    body: () => ({ email: 'new@zpack.test', username: 'bob', password: PASSWORD }),
  },
  // It is read without a token; to check a right one for each caller would take seconds.
  login: {
    ...{ access: 'public', done: '400 invalid_input' },
    body: () => ({ identifier: 'bob', password: '' }),
  },
  refresh: { ...open, target: 'refresh_token', body: (refreshToken) => ({ refreshToken }) },
  logout: { ...account, endsSession: true },
  // Past authorisation, and before it ends everybody's sign-ins.
  changePassword: {
    ...{ access: 'session_only', done: '400 invalid_input' },
    body: () => ({ currentPassword: PASSWORD, newPassword: PASSWORD }),
  },
  requestPasswordReset: { access: 'public', done: '202', body: () => ({ email: 'x@zpack.test' }) },
  forgotPassword: { access: 'public', done: '202', body: () => ({ email: 'x@zpack.test' }) },
  // The token of the link is all that counts, and this is none.
  confirmPasswordReset: {
    ...{ access: 'public', done: '400 reset_token_invalid' },
    body: () => ({ token: 'none', password: PASSWORD }),
  },
  resetPassword: {
    ...{ access: 'public', done: '400 reset_token_invalid' },
    body: () => ({ token: 'none', newPassword: PASSWORD }),
  },

  getMe: account,
  changeMe: { ...account, body: () => ({ firstName: 'Somebody' }) },
  getProfile: account,
  listSessions: account,
  endSession: { access: 'own_session', done: '200', target: 'session' },
  listApiTokens: account,
  createApiToken: {
    ...{ access: 'session_only', done: '201' },
    body: () => ({ name: 'script', scopes: ['read'] }),
  },
  revokeApiToken: { access: 'own_session', done: '200', target: 'api_token' },

  visitQueues: admin,
  listUsers: admin,
  changeRole: {
    access: 'admin_session',
    done: '200',
    target: 'account',
    body: () => ({ role: 'user' }),
  },
  listAuditEntries: admin,

  getCatalogue: { access: 'signed_in', done: '200' },
  createInstance: {
    ...{ access: 'signed_in', done: '202', suspended: '402 account_suspended' },
    body: () => ({ ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 }),
  },
  listInstances: { access: 'signed_in', done: '200' },
  watchServers: { access: 'signed_in', done: '200' },
  listServers: { access: 'signed_in', done: '200' },
  watchServer: read,
  getServer: read,
  getServerStatus: read,
  getHostStatus: read,
  listOperations: read,
  getOperation: read,
  getServerHistory: read,
  explainServer: read,
  getServerMoment: read,
  explainServerActions: read,
  retryServer: { access: 'own', target: 'failed', done: '202', suspended: unpaid },
  startHost: { ...stopped, done: '202', suspended: unpaid },
  // What has not been paid for is off, and is still found to be so.
  stopHost: { ...running, done: '202', suspended: '200' },
  restartHost: { ...running, done: '202', suspended: unpaid },
  listBackups: game,
  createBackup: { ...running, done: '202', suspended: unpaid },
  restoreBackup: { ...running, done: '202', suspended: unpaid, query: '?id=b-1' },
  verifyBackup: { ...running, done: '202', suspended: unpaid, query: '?id=b-1' },
  deleteBackup: { ...running, done: '202', suspended: unpaid },
  lockBackup: { ...running, done: '409 backup_unknown' },
  unlockBackup: read,
  getBackupSchedule: read,
  putBackupSchedule: { ...read, body: () => ({ cron: '0 4 * * *' }) },
  startGame: game,
  stopGame: game,
  restartGame: game,
  sendCommand: { ...game, body: () => ({ command: 'list' }) },
  createConsoleTicket: { ...stopped, done: '201' },
  // Whoever may ask is told that a game has no IDE.
  createIdeToken: dev,
  startCodeServer: dev,
  stopCodeServer: dev,
  restartCodeServer: dev,
  deleteContainer: { ...stopped, done: '202' },

  listPlans: { access: 'signed_in', done: '200' },
  getBilling: { access: 'signed_in', done: '200' },
  // Whoever has a plan and has not paid does so at the payment service, by the portal.
  checkout: { ...account, suspended: '409 already_subscribed', admin: exempt, body: () => ({}) },
  openBillingPortal: { ...account, admin: exempt },
  // Nobody here has a plan that could be changed, but whoever is suspended.
  upgrade: {
    ...{ access: 'session_only', done: '409 not_subscribed' },
    ...{ suspended: '409 payment_due', admin: exempt, body: () => ({ plan: 'small' }) },
  },
  downgrade: {
    ...{ access: 'session_only', done: '409 not_subscribed' },
    ...{ suspended: '409 payment_due', body: () => ({ plan: null }) },
  },
  cancelDowngrade: {
    ...{ access: 'session_only', done: '409 not_subscribed', suspended: '409 payment_due' },
  },
  receiveStripeEvent: {
    ...{ access: 'gate', opensFor: 'stripe', done: '200', refused: '400 invalid_input' },
    body: () => ({ id: 'evt_1', type: 'x', created: 1, data: { object: {} } }),
  },
  receiveMailEvent: {
    ...{ access: 'gate', opensFor: 'resend', done: '200', refused: '400 invalid_input' },
    body: () => ({ type: 'email.opened', data: {} }),
  },
  listBillingRuns: admin,
  runBilling: { ...admin, body: () => ({ kind: 'expiry' }) },

  getEdgeHealth: admin,
  publishInstance: { access: 'admin', done: '202', target: 'running' },
  unpublishInstance: { access: 'admin', done: '200', target: 'running' },
  reconcileDns: admin,
  // It is let in, and talks of a server that nobody has.
  reportProxyStatus: {
    ...{ access: 'gate', opensFor: 'bridge', done: '404 not_found' },
    body: () => ({ status: 'proxy_ping_ok', server_name: 'x-99999', address: 'x', port: 1 }),
  },
  getRoutes: { access: 'gate', opensFor: 'traefik', done: '200' },
  getNodes: admin,
  listAllOperations: admin,
  getReconcileReport: admin,
  reconcile: { access: 'admin', done: '202' },
  discoverExporters: { access: 'gate', opensFor: 'prometheus', done: '200' },

  ...bothPlaces({
    listFiles: file,
    statFile: file,
    readFile: file,
    writeFile: { ...file, body: () => ({ content: 'x' }) },
    makeFolder: { ...file, body: () => ({ path: 'b' }) },
    renameFile: { ...file, body: () => ({ from: 'a.txt', to: 'b.txt' }) },
    deleteFile: file,
    downloadFile: file,
    uploadFile: { ...file, body: () => ({}) },
    readUpload: file,
    forgetUpload: file,
  }),

  createSupportRequest: {
    ...open,
    body: () => ({ name: 'Eve', email: 'eve@zpack.test', subject: 'Help', message: 'It is off' }),
  },
  listMails: admin,
};

/** One implementation at two addresses. */
function bothPlaces(rows: Readonly<Record<string, Row>>): Readonly<Record<string, Row>> {
  const game = Object.entries(rows).map(([name, row]) => [
    name.replace(/(Files?|Folder|Upload)$/, 'Game$1'),
    row,
  ]);
  return { ...rows, ...Object.fromEntries(game) };
}
