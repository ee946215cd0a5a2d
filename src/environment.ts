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
const url = z.url({ protocol: /^https?$/ });
const vmid = z.coerce.number().int().min(100).max(999_999_999);

/** `<secret>@<time until which it is good>`, by comma. */
const oldSecrets = list.transform((items, context) =>
  items.flatMap((item) => {
    const at = item.lastIndexOf('@');
    const [key, until] = [item.slice(0, at), Date.parse(item.slice(at + 1))];
    if (at >= 32 && !Number.isNaN(until)) return [{ secret: key, until }];
    const message = 'expected secret@time, with a secret of 32 characters or more';
    context.issues.push({ code: 'custom', message, input: undefined });
    return [];
  }),
);

/** `<game>=<protocol>:<first>-<last>`, by comma. */
const entryPoints = list.transform((items, context) =>
  Object.fromEntries(
    items.flatMap((item) => {
      const found = /^([a-z0-9-]+)=(tcp|udp):(\d{1,5})(?:-(\d{1,5}))?$/.exec(item);
      const [, game = '', protocol, first, last = first] = found ?? [];
      const [min, max] = [Number(first), Number(last)];
      if (found && min > 0 && min <= max && max <= 65_535) {
        return [[game, { protocol: protocol as 'tcp' | 'udp', min, max }] as const];
      }
      const message = `expected game=protocol:first-last, found ${JSON.stringify(item)}`;
      context.issues.push({ code: 'custom', message, input: item });
      return [];
    }),
  ),
);

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
  FILE_UPLOAD_MAX_MIB: positive.default(16_384).describe('Largest file that may be uploaded'),
  FILE_EDIT_MAX_KIB: positive.max(4_096).default(1_024).describe('Largest file that may be edited'),
  FILE_TRANSFERS_MAX: positive
    .default(4)
    .describe('Uploads and downloads of one container at a time, for each node of ours'),
  FILE_IDLE_TIMEOUT_MS: positive
    .default(60_000)
    .describe('After so long without a byte, an upload or download ends'),
  CONSOLE_VIEWERS_MAX: positive
    .default(1_500)
    .describe('Viewers of one console at a time, for each node of ours'),
  CONSOLE_VIEWERS_ALL_MAX: positive
    .default(10_000)
    .describe('Viewers of all consoles at a time, for each node of ours'),
  CONSOLE_RING_KIB: positive
    .default(512)
    .describe('What each node keeps of a console that somebody looks at'),
  CONSOLE_AWAY_MAX_MS: positive
    .default(60_000)
    .describe('After so long without its agent, those who look at a console are sent away'),
  CONSOLE_COMMANDS_PER_S: positive
    .default(50)
    .describe('Commands to one console, for each node of ours; an account has a fifth of them'),
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
  JWT_OLD_SECRETS: oldSecrets
    .optional()
    .describe('Keys that signed before, as secret@2026-12-31T00:00:00Z, by comma: good until then'),
  JWT_ISSUER: z.string().default('zpack').describe('Issuer named in tokens'),
  ACCESS_TOKEN_TTL_S: positive
    .default(900)
    .describe('Life of an access token; longer for a Portal that does not refresh'),
  REFRESH_TOKEN_TTL_S: positive.default(2_592_000).describe('Life of a sign-in that is not used'),
  IDE_TOKEN_TTL_S: positive.default(300).describe('Life of a token that opens an IDE'),
  IDE_COOKIE_TTL_S: positive
    .default(3_600)
    .describe('Life of the cookie that such a token becomes; renewed while it is used'),
  IDE_COOKIE_SECURE: flag
    .optional()
    .describe('Is that cookie for https alone? If left out: when PUBLIC_URL is https'),
  PUBLIC_URL: url
    .optional()
    .describe('Where browsers reach this API; if left out, wherever they have asked'),
  DEV_IDE_HOST_SUFFIX: z
    .string()
    .toLowerCase()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'expected a domain, as ide.example.com')
    .optional()
    .describe('IDEs are also at dev-<vmid>.<this>, each an origin of its own'),
  DEV_IDE_RETURN_HOSTED_URL: flag
    .default(false)
    .describe('Lead to those names, instead of to /__ide/<vmid>/'),
  DEV_IDE_PORT: port.default(8_080).describe('Port of the IDE (code-server) in a dev container'),
  IDE_ANSWER_TIMEOUT_MS: positive
    .default(30_000)
    .describe('Longest wait for an IDE to begin its answer'),
  IDE_IDLE_TIMEOUT_MS: positive
    .default(120_000)
    .describe('After so long without a byte, a request to an IDE ends; not a WebSocket'),
  IDE_CONNECTIONS_MAX: positive
    .default(256)
    .describe('Requests and WebSockets of one IDE at a time, for each node of ours'),
  PASSWORD_RESET_TTL_S: positive.default(3_600).describe('Life of a link that sets a password'),
  AUDIT_KEEP_DAYS: positive.default(400).describe('How long the audit is kept'),
  MAIL_KEEP_DAYS: positive.default(90).describe('How long it can be seen what became of a mail'),
  SIGN_IN_ATTEMPTS_MAX: positive
    .default(10)
    .describe(
      'Failed sign-ins of one account in a quarter of an hour; ten times that of an address',
    ),
  SESSIONS_OPENED_MAX: positive
    .default(300)
    .describe(
      'Sign-ins and refreshes of one account in a quarter of an hour; ten times that of one caller',
    ),
  ACCOUNT_MAILS_MAX: positive
    .default(5)
    .describe(
      'Password resets, and mails to support, of one address an hour; ten times that of one caller',
    ),
  REGISTRATIONS_MAX: positive.default(20).describe('Accounts that one caller may open an hour'),
  TRUSTED_PROXIES: z
    .string()
    .optional()
    .describe('Proxies whose X-Forwarded-For is believed, as Express has it: loopback, 10.0.0.0/8'),
  PORTAL_URL: url.default('http://localhost:3000').describe('The Portal, for links in mails'),
  RESET_PASSWORD_URL_BASE: url
    .optional()
    .describe('Instead of PORTAL_URL, where passwords are set'),
  SMTP_HOST: z.string().optional().describe('Mail server; none if it is left out'),
  SMTP_PORT: port.default(587).describe('Its port'),
  SMTP_SECURE: flag.default(false).describe('TLS from the first byte; else by STARTTLS, always'),
  SMTP_USER: z.string().optional().describe('Account there'),
  SMTP_PASS: z.string().optional().describe('Its password'),
  SMTP_CA_FILE: z.string().optional().describe('PEM file of the authority to trust'),
  RESEND_URL: url.default('https://api.resend.com').describe('Mail by HTTP (Resend)'),
  RESEND_API_KEY: z.string().optional().describe('Its key; it is used if the mail server fails'),
  RESEND_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]+=*$/, 'expected whsec_ and base64')
    .optional()
    .describe('Signs what it tells us of mails that came back'),
  INSPECT: flag
    .default(false)
    .describe('Administrators may watch all instances at once in the inspector (development)'),
  INSPECT_REMOTE: flag.default(false).describe('They may do so from other machines, too'),
  MAIL_TO_CONSOLE: flag.default(false).describe('Print mails if nothing else sends (development)'),
  MAIL_FROM: z
    .string()
    .default('ZeroLag Hub Support <support@zerolaghub.com>')
    .describe('Sender of our mails'),
  SUPPORT_ADDRESS: z
    .email()
    .default('support@zerolaghub.com')
    .describe('Who gets what customers write to support'),
  MAIL_TIMEOUT_MS: positive.default(20_000).describe('Longest wait for a mail to be taken'),
  STRIPE_URL: url.default('https://api.stripe.com').describe('API of the payment service (Stripe)'),
  STRIPE_SECRET_KEY: z.string().optional().describe('Its key; nothing is billed if left out'),
  STRIPE_WEBHOOK_SECRET: secret.optional().describe('Secret that signs its events'),
  STRIPE_TIMEOUT_MS: positive.default(20_000).describe('Longest wait for one of its answers'),
  BILLING_GRACE_MS: positive
    .default(604_800_000)
    .describe('From a payment that failed to the suspension'),
  BILLING_REMINDERS: positive
    .max(20)
    .default(3)
    .describe('Mails that remind of it, evenly spread over that time'),
  BILLING_KEEP_MS: positive
    .default(2_592_000_000)
    .describe('How long containers of a suspended customer are kept'),
  BILLING_RECONCILE_MS: positive
    .default(3_600_000)
    .describe('Pause between two comparisons of all subscriptions with Stripe'),
  METRICS_TOKEN: secret.optional().describe('Bearer token of /metrics; else only this machine may'),
  METRICS_PORT: port.optional().describe('Port of /metrics in a process without API; else none'),
  PROM_SD_TOKEN: secret.optional().describe('Bearer token of /sd/exporters; else there is none'),
  BACKUP_SWEEP_MS: positive
    .default(10_000)
    .describe('Pause between two looks at backups that are due, or too many'),
  DEBT_SWEEP_MS: positive.default(15_000).describe('Pause between two attempts to pay debts'),
  EDGE_IP: z
    .ipv4()
    .optional()
    .describe('Address of the edge inside, for internal DNS and forwards'),
  PUBLIC_IP: z.ipv4().optional().describe('Address of the edge outside, for public DNS'),
  EDGE_TIMEOUT_MS: positive.default(10_000).describe('Longest wait for one answer of the edge'),
  EDGE_RECONCILE_MS: positive.default(15_000).describe('Pause between two looks at the bridge'),
  DNS_RECONCILE_MS: positive.default(300_000).describe('Pause between two looks at all of DNS'),
  TECHNITIUM_URL: url.optional().describe('Internal DNS (Technitium); none if it is left out'),
  TECHNITIUM_TOKEN: z.string().optional().describe('Its API token'),
  TECHNITIUM_ZONE: z.string().optional().describe('The zone that is ours there'),
  TECHNITIUM_CA_FILE: z.string().optional().describe('PEM file of the authority to trust'),
  CLOUDFLARE_URL: url
    .default('https://api.cloudflare.com/client/v4')
    .describe('API of public DNS (Cloudflare)'),
  CLOUDFLARE_TOKEN: z.string().optional().describe('Its API token; no public DNS if left out'),
  CLOUDFLARE_ZONE_ID: z.string().optional().describe('Number of the zone that is ours there'),
  CLOUDFLARE_ZONE: z.string().optional().describe('Name of that zone'),
  OPNSENSE_URL: url.optional().describe('Firewall that forwards ports; none if it is left out'),
  OPNSENSE_KEY: z.string().optional().describe('Key of its API'),
  OPNSENSE_SECRET: z.string().optional().describe('Secret of that key'),
  OPNSENSE_INTERFACE: z.string().default('wan').describe('Interface that players come in by'),
  OPNSENSE_DESTINATION: z.string().default('wanip').describe('Address there, or its alias'),
  OPNSENSE_CA_FILE: z.string().optional().describe('PEM file of the authority to trust'),
  VELOCITY_URL: url.optional().describe('Bridge of the Minecraft proxy; none if it is left out'),
  VELOCITY_SECRET: secret.optional().describe('Secret shared with the bridge'),
  VELOCITY_PORT: port.default(25_565).describe('Port of the proxy that players connect to'),
  PROXY_REPORTS_PER_S: positive.default(1_000).describe('Reports of the bridge that we take'),
  TRAEFIK_TOKEN: secret.optional().describe('Bearer token of /internal/traefik/dynamic'),
  TRAEFIK_ENTRYPOINTS: entryPoints
    .optional()
    .describe('Ports of each game at Traefik, as terraria=tcp:7777-7786,valheim=udp:2456-2465'),
  TRAEFIK_FILE: z.string().optional().describe('File to write the routes to, beside that'),
  TRAEFIK_POLL_TIMEOUT_MS: positive
    .default(15_000)
    .describe('Longest time between two polls of Traefik'),
  EFFECT_CONCURRENCY: positive.default(64).describe('Effects in flight, for each third party'),
  EFFECT_LEASE_MS: positive.default(9_000).describe('After this, a dead worker is succeeded'),
  EFFECT_RETRY_MS: positive.default(500).describe('First pause before a lost call is made again'),
});

export type Environment = z.output<typeof ENVIRONMENT>;
