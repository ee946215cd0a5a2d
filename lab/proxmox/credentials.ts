import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { z } from 'zod';

import { readJson, writeJson } from './files.ts';

const credentials = z.object({ key: z.string(), cert: z.string(), tokenSecret: z.string() });

export type Credentials = z.output<typeof credentials>;

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** Made once per data folder: a client that pinned the certificate outlives a restart. */
export async function loadCredentials(dataDir: string): Promise<Credentials> {
  const path = join(dataDir, 'credentials.json');
  const known = readJson(path, credentials);
  if (known) return known;
  const now = Date.now();
  const pair = await generate([{ name: 'commonName', value: 'Proxmox VE stand-in' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - 60_000),
    notAfterDate: new Date(now + 10 * YEAR_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  const fresh = { key: pair.private, cert: pair.cert, tokenSecret: randomUUID() };
  writeJson(path, fresh);
  return fresh;
}
