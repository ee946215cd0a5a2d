import { z } from 'zod';

import { startProxmox } from './server.ts';

const milliseconds = z.number().int().nonnegative();
const environment = z.object({
  PROXMOX_DATA_DIR: z.string().min(1).default('.lab/proxmox'),
  PROXMOX_PORT: z.coerce.number().int().min(0).max(65_535).default(8006),
  PROXMOX_DELAYS: z
    .string()
    .default('{}')
    .transform((text) => z.record(z.string(), milliseconds).parse(JSON.parse(text))),
  ZLH_AGENT_TOKEN: z.string().min(1).optional(),
});

const env = environment.parse(process.env);
const proxmox = await startProxmox({
  dataDir: env.PROXMOX_DATA_DIR,
  port: env.PROXMOX_PORT,
  delays: env.PROXMOX_DELAYS,
  ...(env.ZLH_AGENT_TOKEN ? { agentToken: env.ZLH_AGENT_TOKEN } : {}),
  log: (line) => console.error(line),
});

// One line for whoever started us; everything else goes to standard error.
const { url, ca, tokenId, tokenSecret, templateVmid } = proxmox;
console.log(JSON.stringify({ url, ca, tokenId, tokenSecret, templateVmid }));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    proxmox[Symbol.asyncDispose]().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
