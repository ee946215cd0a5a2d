import { createHash, randomBytes } from 'node:crypto';

import { badParameters } from './errors.ts';

/** A container's configuration: the original's file, key by key. */
export type Config = Map<string, string | number>;

const NETWORK_KEYS = new Set(
  'bridge firewall gw gw6 host-managed hwaddr ip ip6 link_down mtu name rate tag trunks type'.split(
    ' ',
  ),
);
const ADDRESS = /^(dhcp|manual|\d{1,3}(\.\d{1,3}){3}\/\d{1,2})$/;
const FORMAT_ERROR = 'invalid format - format error';

export function digestOf(config: Config): string {
  const text = JSON.stringify([...config].sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha1').update(text).digest('hex');
}

export function parseProperties(text: string): Map<string, string> {
  return new Map(
    text.split(',').map((part) => {
      const equals = part.indexOf('=');
      return equals < 0 ? ['', part] : [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
}

export function printProperties(properties: ReadonlyMap<string, string>): string {
  return [...properties].map(([key, value]) => (key ? `${key}=${value}` : value)).join(',');
}

/** A network interface gets its hardware address and type when it has none, as in the original. */
export function completeNetwork(key: string, text: string): string {
  const properties = parseProperties(text);
  const mistakes = [...properties.keys()]
    .filter((name) => !NETWORK_KEYS.has(name))
    .map(
      (name) =>
        `${key}.${name}: property is not defined in schema and the schema does not allow ` +
        'additional properties',
    );
  if (!properties.has('name')) {
    mistakes.push(`${key}.name: property is missing and it is not optional`);
  }
  const address = properties.get('ip');
  if (address !== undefined && !ADDRESS.test(address)) {
    mistakes.push(`${key}.ip: invalid format - value does not look like a valid ipv4 network`);
  }
  if (mistakes.length > 0) {
    throw badParameters({ [key]: `${FORMAT_ERROR}\n${mistakes.join('\n')}\n` });
  }
  if (!properties.has('hwaddr')) properties.set('hwaddr', randomHardwareAddress());
  if (!properties.has('type')) properties.set('type', 'veth');
  return printProperties(properties);
}

export function randomHardwareAddress(): string {
  const tail = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase());
  return ['BC', '24', '11', ...tail].join(':');
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

export function parseSize(text: string): number {
  const unit = /[KMGT]$/.exec(text)?.[0] ?? '';
  return Math.floor(Number(unit ? text.slice(0, -1) : text) * (UNITS[unit] ?? 1));
}

export function printSize(bytes: number): string {
  for (const unit of ['T', 'G', 'M', 'K']) {
    const factor = UNITS[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

export function diskSize(config: Config, disk = 'rootfs'): number {
  const size = parseProperties(String(config.get(disk) ?? '')).get('size');
  return size ? parseSize(size) : 4 * 1024 ** 3;
}
