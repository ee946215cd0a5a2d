import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { renderEnvironment } from '../scripts/generate/environment.ts';
import { readConfig } from '../src/config.ts';
import { ENVIRONMENT } from '../src/environment.ts';

const COMPLETE = {
  DATABASE_URL: 'postgresql://127.0.0.1/zpack',
  REDIS_URL: 'redis://127.0.0.1',
  PROXMOX_URL: 'https://127.0.0.1:8006',
  PROXMOX_TOKEN_ID: 'zpack@pve!api',
  PROXMOX_TOKEN_SECRET: 'secret',
  AGENT_TEMPLATE_VMID: '9000',
  JWT_SECRET: 'x'.repeat(32),
};

test('.env.example names every variable of config.ts with its meaning, and no other', () => {
  const example = readFileSync('.env.example', 'utf8');
  const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);

  expect(named).toEqual(Object.keys(ENVIRONMENT.shape));
  expect(example).toBe(renderEnvironment());
  for (const [name, field] of Object.entries(ENVIRONMENT.shape)) {
    expect(field.description, name).toMatch(/\w/);
  }
});

test('a complete environment is read, with defaults, and empty variables count as absent', () => {
  const config = readConfig({ ...COMPLETE, PORT: '', PROXMOX_CA_FILE: '' });

  expect(config.http.port).toBe(4000);
  expect(config.proxmox.caFile).toBeUndefined();
  expect(config.provisioning.vmids.dev).toEqual({ name: 'dev', min: 6000, max: 6999 });
});

test('all mistakes are named at once, and none of the values', () => {
  const { REDIS_URL: _, ...incomplete } = COMPLETE;
  const read = () =>
    readConfig({ ...incomplete, PORT: 'eighty', JWT_SECRET: 'short-secret', VMID_DEV_MAX: '6' });

  expect(read).toThrow(/PORT/);
  expect(read).toThrow(/REDIS_URL/);
  expect(read).toThrow(/JWT_SECRET/);
  expect(read).toThrow(/VMID_DEV_MAX/);
  expect(read).not.toThrow(/short-secret/);
});

test('a range that ends before it begins is refused', () => {
  expect(() => readConfig({ ...COMPLETE, VMID_GAME_MIN: '5999', VMID_GAME_MAX: '5000' })).toThrow(
    /VMID_GAME_MAX/,
  );
});
