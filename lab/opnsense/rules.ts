import { isIPv4 } from 'node:net';
import { z } from 'zod';

/** A rule as it is stored and as searchRule flattens it, without those fields nobody here uses. */
export const rule = z.object({
  uuid: z.string(),
  sequence: z.string(),
  disabled: z.enum(['0', '1']),
  interface: z.string(),
  ipprotocol: z.string(),
  protocol: z.string(),
  'source.network': z.string(),
  'destination.network': z.string(),
  'destination.port': z.string(),
  target: z.string(),
  'local-port': z.string(),
  descr: z.string(),
  pass: z.string(),
});
export type Rule = z.output<typeof rule>;

const INTERFACES = ['wan', 'lan', 'opt1'];
const PROTOCOLS = ['', 'tcp', 'udp', 'tcp/udp', 'icmp'];

/** The body of addRule and setRule, whose fields are nested and may be missing. */
const order = z.object({
  rule: z.looseObject({
    source: z.record(z.string(), z.unknown()).optional(),
    destination: z.record(z.string(), z.unknown()).optional(),
  }),
});

/** null: there is no rule in this body. */
export function fieldsOf(body: unknown): Readonly<Record<string, string>> | null {
  const parsed = order.safeParse(body).data;
  if (!parsed) return null;
  const { source = {}, destination = {}, ...plain } = parsed.rule;
  const under = (name: string, fields: object) =>
    Object.entries(fields).map(([key, value]) => [`${name}.${key}`, value]);
  const all = [
    ...Object.entries(plain),
    ...under('source', source),
    ...under('destination', destination),
  ];
  return Object.fromEntries(all.map(([key, value]) => [key, String(value ?? '')]));
}

export function ruleOf(
  fields: Readonly<Record<string, string>>,
  before: Rule | undefined,
  { uuid, sequence }: { readonly uuid: string; readonly sequence: string },
): Rule {
  const value = (name: keyof Rule) => fields[name] ?? before?.[name] ?? '';
  return {
    uuid,
    sequence: fields['sequence'] ?? before?.sequence ?? sequence,
    disabled: value('disabled') === '1' ? '1' : '0',
    interface: value('interface'),
    ipprotocol: value('ipprotocol'),
    protocol: value('protocol').toLowerCase(),
    'source.network': value('source.network'),
    'destination.network': value('destination.network'),
    'destination.port': value('destination.port'),
    target: value('target'),
    'local-port': value('local-port'),
    descr: value('descr'),
    pass: value('pass'),
  };
}

/** By field, what is wrong with it; empty if nothing is. */
export function validate(candidate: Rule): Record<string, string> {
  const wrong: Record<string, string> = {};
  const ports = 'Please specify a valid port number, well-known name, alias or range.';
  if (!isPort(candidate['destination.port'])) wrong['rule.destination.port'] = ports;
  if (!isPort(candidate['local-port']))
    wrong['rule.local-port'] = 'Please specify a valid port number or alias.';
  if (!isIPv4(candidate.target) && !isAlias(candidate.target))
    wrong['rule.target'] = `Entry "${candidate.target}" is not a valid hostname or IP address.`;
  if (!candidate.interface.split(',').every((name) => name === '' || INTERFACES.includes(name)))
    wrong['rule.interface'] = 'Option not in list.';
  if (!PROTOCOLS.includes(candidate.protocol)) wrong['rule.protocol'] = 'Option not in list.';
  return wrong;
}

const isAlias = (text: string): boolean => /^[a-z_]\w*$/i.test(text);

function isPort(text: string): boolean {
  if (text === '' || isAlias(text)) return true;
  return (
    /^\d+([-:]\d+)?$/.test(text) &&
    text.split(/[-:]/).every((port) => Number(port) >= 1 && Number(port) <= 65_535)
  );
}
