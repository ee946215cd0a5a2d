import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const positive = z.coerce.number().int().positive();
const flag = z.stringbool();
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
);
const secret = z.string().min(16);
const vmid = z.coerce.number().int().min(100).max(999_999_999);

/** Every variable, with one line of meaning each: `.env.example` says the same, by a test. */
export const ENVIRONMENT = z.object({
  ROLE: z.enum(['api', 'worker', 'all']).default('all').describe('What this process does'),
  HOST: z.string().default('127.0.0.1').describe('Address that the API listens on'),
  PORT: port.default(4000).describe('Port that the API listens on; 0 picks a free one'),
  CORS_ORIGINS: list.prefault('http://localhost:3000').describe('Origins of browsers, by comma'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe log line to print'),
  SHUTDOWN_GRACE_MS: positive.default(10_000).describe('Time to end in, after SIGTERM'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).describe('PostgreSQL, the truth'),
  DATABASE_CONNECTIONS_MAX: positive.default(12).describe('Connections of this process'),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).describe('Redis, which may lose everything'),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w-]+$/)
    .default('zpack')
    .describe('First part of every key'),
  REDIS_MIRROR_PREFIX: z
    .string()
    .default('')
    .describe('Put before the keys that others may read: hostop:<vmid>'),
  PROXMOX_URL: z.url({ protocol: /^https$/ }).describe('Proxmox API, e.g. https://pve1:8006'),
  PROXMOX_TOKEN_ID: z
    .string()
    .regex(/^[^@]+@[^!]+![^!]+$/, 'expected user@realm!token')
    .describe('API token'),
  PROXMOX_TOKEN_SECRET: z.string().min(1).describe('Secret of the API token'),
  PROXMOX_CA_FILE: z.string().optional().describe('PEM file of the authority to trust'),
  PROXMOX_INSECURE_TLS: flag.default(false).describe('Accept any certificate (not in production)'),
  PROXMOX_TIMEOUT_MS: positive.default(10_000).describe('Longest wait for one Proxmox answer'),
  PROXMOX_POLL_MS: positive.default(500).describe('Pause between two looks at a task'),
  AGENT_TEMPLATE_VMID: vmid.describe('Template that every container is cloned from'),
  GAME_BRIDGE: z.string().default('vmbr3').describe('Network bridge of game containers'),
  DEV_BRIDGE: z.string().default('vmbr2').describe('Network bridge of dev containers'),
  VMID_GAME_MIN: vmid.default(5000).describe('First VMID of game containers'),
  VMID_GAME_MAX: vmid.default(5999).describe('Last VMID of game containers'),
  VMID_DEV_MIN: vmid.default(6000).describe('First VMID of dev containers'),
  VMID_DEV_MAX: vmid.default(6999).describe('Last VMID of dev containers'),
  ADDRESS_TIMEOUT_MS: positive.default(110_000).describe('Longest wait for an address by DHCP'),
  STOP_TIMEOUT_S: positive
    .max(300)
    .default(60)
    .describe('Time to shut down in, before the plug is pulled'),
  ZLH_AGENT_PORT: port.default(18_888).describe('Port of the agent in each container'),
  ZLH_AGENT_TOKEN: z.string().optional().describe('Bearer token of the agents, if they want one'),
  GAME_RESTARTS_MAX: z.coerce
    .number()
    .int()
    .min(0)
    .default(3)
    .describe('How often a game that dies is started again by itself, within the window'),
  GAME_RESTARTS_WINDOW_MS: positive.default(600_000).describe('The window of GAME_RESTARTS_MAX'),
  PROXMOX_NODE_CONCURRENCY: positive
    .default(8)
    .describe('Changes of power that one Proxmox node works on at a time'),
  AGENT_TIMEOUT_MS: positive.default(5_000).describe('Longest wait for one answer of an agent'),
  AGENT_POLL_MS: positive.default(500).describe('Pause between two looks at an installing agent'),
  AGENT_BOOT_TIMEOUT_MS: positive.default(90_000).describe('Time for an agent to start listening'),
  READY_TIMEOUT_MS: positive.default(600_000).describe('Time for an installation to become ready'),
  POLL_INTERVAL_MS: positive.default(5_000).describe('Pause between two polls of an agent'),
  POLL_SHARDS: positive.max(64).default(8).describe('Parts that agents are polled in, by turns'),
  POLL_TIMEOUT_MS: positive.default(2_000).describe('Longest wait for an agent in one poll'),
  POLL_CONCURRENCY: positive.default(256).describe('Polls in flight, of agents that answer'),
  POLL_MISSES: positive.default(3).describe('Polls without an answer that make it unreachable'),
  HOST_SWEEP_MS: positive.default(5_000).describe('Pause between two looks at all containers'),
  EVENTS_BEHIND_MAX: positive.default(10_000).describe('Events that a stream resumes over'),
  JWT_SECRET: z.string().min(32).describe('Key that signs access tokens, 32 characters or more'),
  JWT_ISSUER: z.string().default('zpack').describe('Issuer named in tokens'),
  ACCESS_TOKEN_TTL_S: positive.default(43_200).describe('Life of an access token'),
  METRICS_TOKEN: secret.optional().describe('Bearer token of /metrics; else only this machine may'),
  METRICS_PORT: port.optional().describe('Port of /metrics in a process without API; else none'),
  PROM_SD_TOKEN: secret.optional().describe('Bearer token of /sd/exporters; else there is none'),
  EFFECT_CONCURRENCY: positive.default(64).describe('Effects in flight, for each third party'),
  EFFECT_LEASE_MS: positive.default(9_000).describe('After this, a dead worker is succeeded'),
});

const configuration = ENVIRONMENT.check((context) => {
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
  polls: {
    everyMs: env.POLL_INTERVAL_MS,
    shards: env.POLL_SHARDS,
    timeoutMs: env.POLL_TIMEOUT_MS,
    concurrency: env.POLL_CONCURRENCY,
    missesMax: env.POLL_MISSES,
    hostsEveryMs: env.HOST_SWEEP_MS,
  },
  auth: { secret: env.JWT_SECRET, issuer: env.JWT_ISSUER, accessTtlS: env.ACCESS_TOKEN_TTL_S },
  events: { behindMax: env.EVENTS_BEHIND_MAX },
  metrics: { token: env.METRICS_TOKEN, port: env.METRICS_PORT },
  discovery: { token: env.PROM_SD_TOKEN },
  effects: { concurrency: env.EFFECT_CONCURRENCY, leaseMs: env.EFFECT_LEASE_MS },
}));

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
