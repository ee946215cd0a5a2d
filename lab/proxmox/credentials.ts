import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

import { makeCertificate } from '../certificates.ts';
import { readJson, writeJson } from './files.ts';

const credentials = z.object({ key: z.string(), cert: z.string(), tokenSecret: z.string() });

export type Credentials = z.output<typeof credentials>;

/** Made once per data folder: a client that pinned the certificate outlives a restart. */
export async function loadCredentials(dataDir: string): Promise<Credentials> {
  const path = join(dataDir, 'credentials.json');
  const known = readJson(path, credentials);
  if (known) return known;
  const fresh = { ...(await makeCertificate('Proxmox VE stand-in')), tokenSecret: randomUUID() };
  writeJson(path, fresh);
  return fresh;
}
