import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

import { readJson, writeJson } from '../proxmox/files.ts';
import {
  type RateLimit,
  type StandIn,
  type StandInAnswer,
  type StandInRequest,
  startStandIn,
} from '../stand-in.ts';
import { fieldsOf, type Rule, rule, ruleOf, validate } from './rules.ts';

/** A running stand-in for the destination NAT of an OPNsense firewall. */
export interface Opnsense extends StandIn {
  readonly key: string;
  readonly secret: string;
  /** As they are saved. */
  records(): readonly Rule[];
  /** As the firewall acts on them: those saved at the last apply. */
  active(): readonly Rule[];
  /** As somebody else would, in the console; takes the members of `rule`. Not in effect yet. */
  addByHand(fields: Readonly<Record<string, unknown>>): Rule;
}

export interface OpnsenseOptions {
  /** The rules live here; started there again, they and the key are the same. */
  readonly dataDir: string;
  readonly port?: number;
  readonly limit?: RateLimit;
}

const state = z.object({
  key: z.string(),
  secret: z.string(),
  rules: z.array(rule),
  active: z.array(rule),
});
type State = z.output<typeof state>;

const PREFIX = '/api/firewall/d_nat/';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const ok = (body: unknown): StandInAnswer => ({ status: 200, body });
const failed = ok({ result: 'failed' });

export async function startOpnsense(options: OpnsenseOptions): Promise<Opnsense> {
  const file = join(options.dataDir, 'opnsense.json');
  const kept = readJson(file, state) ?? {
    key: randomBytes(30).toString('base64'),
    secret: randomBytes(30).toString('base64'),
    rules: [],
    active: [],
  };
  const save = () => writeJson(file, kept);
  save();
  const actions = createActions(kept, save);

  function answer({ method, path, query, headers, body }: StandInRequest): StandInAnswer {
    const expected = `Basic ${Buffer.from(`${kept.key}:${kept.secret}`).toString('base64')}`;
    if (headers.authorization !== expected)
      return { status: 401, body: { status: 401, message: 'Authentication Failed' } };
    const [verb = '', uuid = ''] = path.startsWith(PREFIX)
      ? path.slice(PREFIX.length).split('/').map(decodeURIComponent)
      : [];
    const action = actions[verb];
    if (!action) return { status: 404, body: { errorMessage: 'Endpoint not found' } };
    if (verb !== 'searchRule' && method !== 'POST') return failed;
    return action({ uuid, query, body: parse(body) });
  }

  const standIn = await startStandIn({
    port: options.port,
    limit: options.limit,
    answer,
    // Not OPNsense itself, but a proxy in front of it.
    tooMany: (waitS) => ({ status: 429, body: {}, headers: { 'retry-after': String(waitS) } }),
  });
  return {
    ...standIn,
    key: kept.key,
    secret: kept.secret,
    records: () => kept.rules,
    active: () => kept.active,
    addByHand(fields) {
      actions['addRule']?.({ uuid: '', query: new URLSearchParams(), body: { rule: fields } });
      const added = kept.rules.at(-1);
      if (!added) throw new Error('that rule was refused');
      return added;
    },
  };
}

interface Given {
  readonly uuid: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

function createActions(
  kept: State,
  save: () => void,
): Readonly<Record<string, (given: Given) => StandInAnswer>> {
  function put(uuid: string, body: unknown): StandInAnswer {
    const fields = fieldsOf(body);
    if (!fields) return failed;
    const index = kept.rules.findIndex((one) => one.uuid === uuid);
    const last = Math.max(1, ...kept.rules.map((one) => Number(one.sequence)));
    const next = ruleOf(fields, kept.rules[index], { uuid, sequence: String(last + 100) });
    const validations = validate(next);
    if (Object.keys(validations).length > 0) return ok({ result: 'failed', validations });
    if (index < 0) kept.rules.push(next);
    else kept.rules[index] = next;
    save();
    return ok({ result: 'saved', uuid });
  }

  return {
    searchRule: ({ query }) => ok(search(kept.rules, query)),
    addRule: ({ body }) => put(randomUUID(), body),
    // Makes the rule if there is none of that number, as the original does.
    setRule: ({ uuid, body }) => (UUID.test(uuid) ? put(uuid, body) : failed),
    delRule({ uuid }) {
      const before = kept.rules.length;
      kept.rules = kept.rules.filter((one) => one.uuid !== uuid);
      save();
      return ok({ result: kept.rules.length < before ? 'deleted' : 'not found' });
    },
    apply() {
      kept.active = [...kept.rules];
      save();
      return ok({ status: 'OK\n\n' });
    },
  };
}

/** The original puts this in front of every page, and does not count it. */
const LOCKOUT = {
  ...{ uuid: 'lockout_0', ipprotocol: '', protocol: 'tcp', '%protocol': 'TCP', disabled: '0' },
  ...{ nordr: '1', interface: 'lan', 'destination.network': 'lanip', 'destination.port': '443' },
  ...{ descr: 'Anti-Lockout Rule', is_automatic: true },
};

function search(rules: readonly Rule[], query: URLSearchParams): object {
  const rowCount = Number(query.get('rowCount') ?? -1);
  const current = Number(query.get('current') ?? 1);
  const phrase = (query.get('searchPhrase') ?? '').toLowerCase();
  const found = rules.filter((one) =>
    Object.values(one).some((value) => value.toLowerCase().includes(phrase)),
  );
  const rows = rowCount < 0 ? found : found.slice((current - 1) * rowCount, current * rowCount);
  const shown = rows.map((one) => ({ ...one, '%protocol': one.protocol.toUpperCase() }));
  return { total: found.length, rowCount: rows.length, current, rows: [LOCKOUT, ...shown] };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
