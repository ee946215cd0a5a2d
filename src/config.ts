import { z } from 'zod';

import { ENVIRONMENT, type Environment } from './environment.ts';

/** Each is there with all of its variables or not at all. */
const GROUPS = {
  technitium: ['TECHNITIUM_URL', 'TECHNITIUM_TOKEN', 'TECHNITIUM_ZONE', 'EDGE_IP'],
  cloudflare: ['CLOUDFLARE_TOKEN', 'CLOUDFLARE_ZONE_ID', 'CLOUDFLARE_ZONE', 'PUBLIC_IP'],
  opnsense: ['OPNSENSE_URL', 'OPNSENSE_KEY', 'OPNSENSE_SECRET', 'EDGE_IP'],
  velocity: ['VELOCITY_URL', 'VELOCITY_SECRET'],
  traefik: ['TRAEFIK_TOKEN', 'TRAEFIK_ENTRYPOINTS'],
  stripe: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'],
} as const satisfies Record<string, readonly (keyof Environment)[]>;
type Group = keyof typeof GROUPS;

/** Addresses of the edge mean nothing by themselves. */
const SHARED: readonly string[] = ['EDGE_IP', 'PUBLIC_IP'];

const isMeant = (env: Environment, group: Group): boolean =>
  GROUPS[group].some((name) => !SHARED.includes(name) && env[name] !== undefined);

type Present<Name extends keyof Environment> = {
  readonly [Key in Name]: NonNullable<Environment[Key]>;
};

/** The check before has seen to it that nothing of a group is missing. */
const groupOf = <Name extends Group>(env: Environment, group: Name) =>
  isMeant(env, group) ? (env as Present<(typeof GROUPS)[Name][number]>) : undefined;

const configuration = ENVIRONMENT.check((context) => {
  for (const group of Object.keys(GROUPS) as Group[]) {
    if (!isMeant(context.value, group)) continue;
    for (const name of GROUPS[group].filter((one) => context.value[one] === undefined)) {
      const message = `expected, because something else of ${group} is set`;
      context.issues.push({ code: 'custom', path: [name], message, input: undefined });
    }
  }
  if (context.value.DEV_IDE_RETURN_HOSTED_URL && context.value.DEV_IDE_HOST_SUFFIX === undefined) {
    const message = 'expected, because of DEV_IDE_RETURN_HOSTED_URL';
    context.issues.push({
      ...{ code: 'custom', path: ['DEV_IDE_HOST_SUFFIX'], message, input: undefined },
    });
  }
  for (const kind of ['GAME', 'DEV'] as const) {
    if (context.value[`VMID_${kind}_MIN`] <= context.value[`VMID_${kind}_MAX`]) continue;
    context.issues.push({
      code: 'custom',
      path: [`VMID_${kind}_MAX`],
      message: `expected at least VMID_${kind}_MIN`,
      input: context.value,
    });
  }
}).transform((env) => ({
  role: env.ROLE,
  http: {
    host: env.HOST,
    port: env.PORT,
    corsOrigins: env.CORS_ORIGINS,
    trustedProxies: env.TRUSTED_PROXIES,
  },
  log: { level: env.LOG_LEVEL },
  shutdown: { graceMs: env.SHUTDOWN_GRACE_MS },
  database: { url: env.DATABASE_URL, connectionsMax: env.DATABASE_CONNECTIONS_MAX },
  redis: { url: env.REDIS_URL, prefix: env.REDIS_PREFIX, mirrorPrefix: env.REDIS_MIRROR_PREFIX },
  proxmox: {
    baseUrl: new URL(env.PROXMOX_URL),
    tokenId: env.PROXMOX_TOKEN_ID,
    tokenSecret: env.PROXMOX_TOKEN_SECRET,
    caFile: env.PROXMOX_CA_FILE,
    insecureTls: env.PROXMOX_INSECURE_TLS,
    timeoutMs: env.PROXMOX_TIMEOUT_MS,
    pollMs: env.PROXMOX_POLL_MS,
    nodeConcurrency: env.PROXMOX_NODE_CONCURRENCY,
  },
  provisioning: {
    templateVmid: env.AGENT_TEMPLATE_VMID,
    bridges: { game: env.GAME_BRIDGE, dev: env.DEV_BRIDGE },
    vmids: {
      game: { name: 'game', min: env.VMID_GAME_MIN, max: env.VMID_GAME_MAX },
      dev: { name: 'dev', min: env.VMID_DEV_MIN, max: env.VMID_DEV_MAX },
    },
    addressTimeoutMs: env.ADDRESS_TIMEOUT_MS,
    shutdownTimeoutS: env.STOP_TIMEOUT_S,
    readyTimeoutMs: env.READY_TIMEOUT_MS,
    restarts: { max: env.GAME_RESTARTS_MAX, windowMs: env.GAME_RESTARTS_WINDOW_MS },
  },
  agent: {
    port: env.ZLH_AGENT_PORT,
    token: env.ZLH_AGENT_TOKEN,
    timeoutMs: env.AGENT_TIMEOUT_MS,
    pollMs: env.AGENT_POLL_MS,
    bootTimeoutMs: env.AGENT_BOOT_TIMEOUT_MS,
  },
  files: {
    uploadBytesMax: env.FILE_UPLOAD_MAX_MIB * 1024 * 1024,
    editBytesMax: env.FILE_EDIT_MAX_KIB * 1024,
    transfersMax: env.FILE_TRANSFERS_MAX,
    idleMs: env.FILE_IDLE_TIMEOUT_MS,
  },
  console: consoleOf(env),
  ide: ideOf(env),
  polls: {
    everyMs: env.POLL_INTERVAL_MS,
    shards: env.POLL_SHARDS,
    timeoutMs: env.POLL_TIMEOUT_MS,
    concurrency: env.POLL_CONCURRENCY,
    missesMax: env.POLL_MISSES,
    hostsEveryMs: env.HOST_SWEEP_MS,
  },
  auth: authOf(env),
  limits: limitsOf(env),
  retention: { audit: env.AUDIT_KEEP_DAYS, mails: env.MAIL_KEEP_DAYS },
  mail: mailOf(env),
  billing: billingOf(env),
  inspect: { isOpenToAll: env.INSPECT, isRemote: env.INSPECT_REMOTE },
  events: { behindMax: env.EVENTS_BEHIND_MAX },
  metrics: { token: env.METRICS_TOKEN, port: env.METRICS_PORT },
  discovery: { token: env.PROM_SD_TOKEN },
  edge: edgeOf(env),
  debts: { everyMs: env.DEBT_SWEEP_MS },
  backups: { everyMs: env.BACKUP_SWEEP_MS },
  effects: {
    concurrency: env.EFFECT_CONCURRENCY,
    leaseMs: env.EFFECT_LEASE_MS,
    retryMs: env.EFFECT_RETRY_MS,
  },
}));

const authOf = (env: Environment) => ({
  secret: env.JWT_SECRET,
  oldSecrets: env.JWT_OLD_SECRETS ?? [],
  issuer: env.JWT_ISSUER,
  accessTtlS: env.ACCESS_TOKEN_TTL_S,
  refreshTtlS: env.REFRESH_TOKEN_TTL_S,
  ideTtlS: env.IDE_TOKEN_TTL_S,
  ideCookieTtlS: env.IDE_COOKIE_TTL_S,
  resetTtlS: env.PASSWORD_RESET_TTL_S,
});

const limitsOf = (env: Environment) => ({
  signIns: env.SIGN_IN_ATTEMPTS_MAX,
  sessions: env.SESSIONS_OPENED_MAX,
  resets: env.ACCOUNT_MAILS_MAX,
  support: env.ACCOUNT_MAILS_MAX,
  registrations: env.REGISTRATIONS_MAX,
});

function consoleOf(env: Environment) {
  return {
    viewersEachMax: env.CONSOLE_VIEWERS_MAX,
    viewersMax: env.CONSOLE_VIEWERS_ALL_MAX,
    ringBytes: env.CONSOLE_RING_KIB * 1024,
    awayMaxMs: env.CONSOLE_AWAY_MAX_MS,
    commandsPerS: env.CONSOLE_COMMANDS_PER_S,
  };
}

function ideOf(env: Environment) {
  return {
    publicUrl: env.PUBLIC_URL,
    isSecure: env.IDE_COOKIE_SECURE ?? env.PUBLIC_URL?.startsWith('https:') ?? false,
    hostSuffix: env.DEV_IDE_HOST_SUFFIX,
    returnsHosted: env.DEV_IDE_RETURN_HOSTED_URL,
    port: env.DEV_IDE_PORT,
    answerTimeoutMs: env.IDE_ANSWER_TIMEOUT_MS,
    idleTimeoutMs: env.IDE_IDLE_TIMEOUT_MS,
    connectionsMax: env.IDE_CONNECTIONS_MAX,
  };
}

function mailOf(env: Environment) {
  return {
    from: env.MAIL_FROM,
    supportAddress: env.SUPPORT_ADDRESS,
    portalUrl: env.PORTAL_URL,
    resetUrlBase: env.RESET_PASSWORD_URL_BASE ?? env.PORTAL_URL,
    timeoutMs: env.MAIL_TIMEOUT_MS,
    smtp:
      env.SMTP_HOST === undefined
        ? undefined
        : {
            host: env.SMTP_HOST,
            port: env.SMTP_PORT,
            isSecure: env.SMTP_SECURE,
            user: env.SMTP_USER,
            password: env.SMTP_PASS,
            caFile: env.SMTP_CA_FILE,
          },
    resend:
      env.RESEND_API_KEY === undefined
        ? undefined
        : { baseUrl: new URL(env.RESEND_URL), apiKey: env.RESEND_API_KEY },
    resendWebhookSecret: env.RESEND_WEBHOOK_SECRET,
    toConsole: env.MAIL_TO_CONSOLE,
  };
}

/** undefined: nothing is billed, and nobody is limited. */
function billingOf(env: Environment) {
  const stripe = groupOf(env, 'stripe');
  return (
    stripe && {
      baseUrl: new URL(env.STRIPE_URL),
      secretKey: stripe.STRIPE_SECRET_KEY,
      webhookSecret: stripe.STRIPE_WEBHOOK_SECRET,
      timeoutMs: env.STRIPE_TIMEOUT_MS,
      portalUrl: env.PORTAL_URL,
      graceMs: env.BILLING_GRACE_MS,
      reminders: env.BILLING_REMINDERS,
      keepMs: env.BILLING_KEEP_MS,
      reconcileEveryMs: env.BILLING_RECONCILE_MS,
    }
  );
}

function edgeOf(env: Environment) {
  const technitium = groupOf(env, 'technitium');
  const cloudflare = groupOf(env, 'cloudflare');
  const opnsense = groupOf(env, 'opnsense');
  const velocity = groupOf(env, 'velocity');
  const traefik = groupOf(env, 'traefik');
  return {
    timeoutMs: env.EDGE_TIMEOUT_MS,
    reconcileEveryMs: env.EDGE_RECONCILE_MS,
    dnsEveryMs: env.DNS_RECONCILE_MS,
    reportsPerS: env.PROXY_REPORTS_PER_S,
    technitium: technitium && {
      baseUrl: new URL(technitium.TECHNITIUM_URL),
      token: technitium.TECHNITIUM_TOKEN,
      zone: technitium.TECHNITIUM_ZONE,
      caFile: env.TECHNITIUM_CA_FILE,
      address: technitium.EDGE_IP,
    },
    cloudflare: cloudflare && {
      baseUrl: new URL(env.CLOUDFLARE_URL),
      token: cloudflare.CLOUDFLARE_TOKEN,
      zoneId: cloudflare.CLOUDFLARE_ZONE_ID,
      zone: cloudflare.CLOUDFLARE_ZONE,
      address: cloudflare.PUBLIC_IP,
    },
    opnsense: opnsense && {
      baseUrl: new URL(opnsense.OPNSENSE_URL),
      key: opnsense.OPNSENSE_KEY,
      secret: opnsense.OPNSENSE_SECRET,
      caFile: env.OPNSENSE_CA_FILE,
      entrance: { interface: env.OPNSENSE_INTERFACE, destination: env.OPNSENSE_DESTINATION },
      targetIp: opnsense.EDGE_IP,
    },
    velocity: velocity && {
      baseUrl: new URL(velocity.VELOCITY_URL),
      secret: velocity.VELOCITY_SECRET,
      port: env.VELOCITY_PORT,
    },
    traefik: traefik && {
      token: traefik.TRAEFIK_TOKEN,
      entryPoints: traefik.TRAEFIK_ENTRYPOINTS,
      file: env.TRAEFIK_FILE,
      pollTimeoutMs: env.TRAEFIK_POLL_TIMEOUT_MS,
    },
  };
}

export type Config = Readonly<z.output<typeof configuration>>;

/**
 * The only reader of the environment. An empty variable counts as absent.
 * @throws Error that names every mistake at once: nobody should start five times to find five.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = configuration.safeParse(given);
  if (!parsed.success) {
    throw new Error(`the configuration is not valid\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}
