/**
 * Destination NAT rules as OPNsense writes them: the field names are those of its model DNat.xml,
 * https://github.com/opnsense/core/blob/master/src/opnsense/mvc/app/models/OPNsense/Firewall/DNat.xml
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export interface WantedForward {
  /** Our marker: says that the rule is ours, and for which container. Compared exactly. */
  readonly description: string;
  readonly protocol: 'tcp' | 'udp';
  /** From outside. */
  readonly port: number;
  readonly targetIp: string;
  readonly targetPort: number;
}

export interface FoundForward {
  readonly id: string;
  readonly description: string;
  /** `tcp`, `udp`, `tcp/udp`, …, or empty for any. */
  readonly protocol: string;
  /** A number, a range "2456-2457", or the name of an alias. */
  readonly port: string;
  /** An address or the name of an alias. */
  readonly targetIp: string;
  readonly targetPort: string;
  /** Comma separated; empty for all. */
  readonly interfaces: string;
  readonly isEnabled: boolean;
}

/** Where forwarded traffic comes in. */
export interface Entrance {
  /** The name of the interface in the configuration: `wan`, `opt1`. */
  readonly interface: string;
  /** An address, an alias, or `<interface>ip` for the interface's own. */
  readonly destination: string;
}

const text = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value) => String(value ?? ''));

/** A row of searchRule, which flattens the fields. */
export const row = z
  .object({
    uuid: z.string(),
    is_automatic: z.boolean().optional().catch(undefined),
    disabled: text,
    interface: text,
    protocol: text,
    'destination.port': text,
    target: text,
    'local-port': text,
    descr: text,
  })
  .transform((found) => ({
    isAutomatic: found.is_automatic === true,
    forward: {
      id: found.uuid,
      description: found.descr,
      protocol: found.protocol.toLowerCase(),
      port: found['destination.port'],
      targetIp: found.target,
      targetPort: found['local-port'],
      interfaces: found.interface.toLowerCase(),
      isEnabled: found.disabled !== '1',
    } satisfies FoundForward,
  }));

export function bodyOf(wanted: WantedForward, entrance: Entrance): string {
  const { description, protocol, port, targetIp, targetPort } = wanted;
  return JSON.stringify({
    rule: {
      ...{ disabled: '0', interface: entrance.interface, ipprotocol: 'inet', protocol },
      source: { network: 'any' },
      destination: { network: entrance.destination, port: String(port) },
      ...{ target: targetIp, 'local-port': String(targetPort), descr: description },
      // Without it the port is translated, and then dropped by the filter.
      pass: 'pass',
    },
  });
}

/**
 * setRule makes a rule of a number that does not exist yet. Since ours follows from what the rule
 * is, two who make it at once make one, and so does one who makes it again after a lost answer.
 */
export function idOf({ description, protocol, port }: WantedForward): string {
  const hex = createHash('sha256').update(`${protocol} ${port} ${description}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  const [time, rest] = [hex.slice(0, 8), `${variant}${hex.slice(18, 20)}`];
  return `${time}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${rest}-${hex.slice(20, 32)}`;
}

/** Does it take the traffic that `wanted` is about? */
export function isRival(found: FoundForward, wanted: WantedForward, entrance: Entrance): boolean {
  const protocols = found.protocol.split('/');
  const isSameProtocol = found.protocol === '' || protocols.includes(wanted.protocol);
  const interfaces = found.interfaces.split(',');
  const isSameEntrance = found.interfaces === '' || interfaces.includes(entrance.interface);
  const isOurs = found.description === wanted.description;
  if (isOurs || !found.isEnabled || !isSameProtocol || !isSameEntrance) return false;
  return includesPort(found.port, wanted.port);
}

/** An alias may stand for any port, which only the firewall knows; it is not held against us. */
function includesPort(ports: string, port: number): boolean {
  if (ports === '') return true;
  const [, first, last] = /^(\d+)(?:[-:](\d+))?$/.exec(ports) ?? [];
  return first !== undefined && port >= Number(first) && port <= Number(last ?? first);
}

export function isSamePlace(found: FoundForward, wanted: WantedForward): boolean {
  const { description, protocol, port } = wanted;
  const isSamePort = found.protocol === protocol && found.port === String(port);
  return found.description === description && isSamePort;
}

export function isEqual(found: FoundForward, wanted: WantedForward, entrance: Entrance): boolean {
  const isSameTarget =
    found.targetIp === wanted.targetIp && found.targetPort === String(wanted.targetPort);
  const isOpen = found.isEnabled && found.interfaces === entrance.interface;
  return isSamePlace(found, wanted) && isSameTarget && isOpen;
}
