import { completeNetwork, digestOf } from '../config.ts';
import type { Container } from '../containers.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { badParameters, died } from '../errors.ts';
import { clone } from '../operations/clone.ts';
import { configure, resize } from '../operations/configure.ts';
import { create } from '../operations/create.ts';
import { destroy } from '../operations/power.ts';
import { CONFIG_OPTIONS, TABLES } from '../parameter-tables.ts';
import type { ParameterTable } from '../parameters.ts';
import { containerView, interfaceViews } from '../views.ts';

const LXC = '/nodes/{node}/lxc';
const ONE = `${LXC}/{vmid}`;

export function containerOf({ cluster, origin, parameters }: Call): Container {
  return cluster.containers.on(origin.node, parameters.integer('vmid') ?? 0);
}

export const containerEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: LXC,
    parameters: TABLES.onNode,
    handle: ({ cluster, origin }) =>
      cluster.containers
        .all()
        .filter((one) => one.node === origin.node)
        .map((one) => containerView(cluster, one)),
  },
  { method: 'POST', path: LXC, parameters: TABLES.create, handle: createFrom },
  { method: 'DELETE', path: ONE, parameters: TABLES.destroy, handle: destroyFrom },
  { method: 'POST', path: `${ONE}/clone`, parameters: TABLES.clone, handle: cloneFrom },
  { method: 'GET', path: `${ONE}/config`, parameters: TABLES.readConfig, handle: readConfig },
  { method: 'PUT', path: `${ONE}/config`, parameters: TABLES.configure, handle: configureFrom },
  { method: 'PUT', path: `${ONE}/resize`, parameters: TABLES.resize, handle: resizeFrom },
  {
    method: 'GET',
    path: `${ONE}/interfaces`,
    parameters: TABLES.onContainer,
    handle: (call) => interfaceViews(call.cluster, containerOf(call)),
  },
];

function createFrom({ cluster, origin, parameters }: Call): Promise<string> {
  const config = parameters.except(namesBeside(TABLES.create, CONFIG_OPTIONS));
  for (const [key, value] of config) {
    if (/^net\d+$/.test(key)) config.set(key, completeNetwork(key, String(value)));
  }
  return create(cluster, origin, {
    vmid: parameters.integer('vmid') ?? 0,
    config,
    pool: parameters.text('pool'),
    start: parameters.flag('start') ?? false,
  });
}

function destroyFrom(call: Call): string {
  const force = call.parameters.flag('force') ?? false;
  return destroy(call.cluster, call.origin, containerOf(call), { force });
}

function cloneFrom(call: Call): Promise<string> {
  const { parameters } = call;
  return clone(call.cluster, call.origin, containerOf(call), {
    newid: parameters.integer('newid') ?? 0,
    full: parameters.flag('full'),
    hostname: parameters.text('hostname'),
    description: parameters.text('description'),
    pool: parameters.text('pool'),
    snapname: parameters.text('snapname'),
    storage: parameters.text('storage'),
    target: parameters.text('target'),
  });
}

function readConfig(call: Call): Record<string, string | number> {
  const { config } = containerOf(call);
  const snapshot = call.parameters.text('snapshot');
  if (snapshot !== undefined) throw died(`snapshot '${snapshot}' does not exist`);
  const description = config.get('description');
  return {
    ...Object.fromEntries(config),
    // The original stores it as comment lines and gives every line its end back.
    ...(description === undefined ? {} : { description: `${description}\n` }),
    digest: digestOf(config),
  };
}

function configureFrom(call: Call): Promise<null> {
  const { parameters } = call;
  const doomed = (parameters.text('delete') ?? '').split(/[,;\s]+/).filter(Boolean);
  for (const key of doomed) {
    const known = key in CONFIG_OPTIONS || key.replace(/\d+$/, '[n]') in CONFIG_OPTIONS;
    if (!known) throw badParameters({ delete: `unknown option '${key}'` });
  }
  return configure(call.cluster, containerOf(call), {
    set: parameters.except(namesBeside(TABLES.configure, CONFIG_OPTIONS)),
    delete: doomed,
    digest: parameters.text('digest'),
  });
}

function resizeFrom(call: Call): string {
  const { parameters } = call;
  return resize(call.cluster, call.origin, containerOf(call), {
    disk: parameters.text('disk') ?? '',
    size: parameters.text('size') ?? '',
    digest: parameters.text('digest'),
  });
}

/** The parameters that are about the call and not about the container. */
function namesBeside(table: ParameterTable, options: ParameterTable): ReadonlySet<string> {
  return new Set(Object.keys(table).filter((name) => !(name in options)));
}
