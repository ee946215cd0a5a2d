import type { Parameter, ParameterTable } from './parameters.ts';

const LABEL = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?';
const text: Parameter = { type: 'string' };
const flag: Parameter = { type: 'boolean' };
const digest: Parameter = { type: 'string', maxLength: 40 };
const vmid: Parameter = { type: 'integer', minimum: 100, maximum: 999_999_999 };
const storageId: Parameter = {
  type: 'string',
  format: ['storage ID', /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i],
};
const configId: Parameter = {
  type: 'string',
  maxLength: 40,
  format: ['configuration ID', /^[a-z][a-z0-9_-]+$/i],
};
const nodeName: Parameter = { type: 'string', format: ['node name', new RegExp(`^${LABEL}$`)] };
const hostname: Parameter = {
  type: 'string',
  maxLength: 255,
  format: ['DNS name', new RegExp(`^${LABEL}(\\.${LABEL})*$`)],
};

const onNode: ParameterTable = { node: { ...nodeName, required: true } };
const onContainer: ParameterTable = { ...onNode, vmid: { ...vmid, required: true } };
const onTask: ParameterTable = { ...onNode, upid: { type: 'string', required: true } };

const LOCKS =
  'backup create destroyed disk fstrim migrate mounted rollback snapshot snapshot-delete'.split(
    ' ',
  );
const OS_TYPES =
  'debian devuan ubuntu centos fedora opensuse archlinux alpine gentoo nixos unmanaged'.split(' ');

/** What a configuration may hold. */
export const CONFIG_OPTIONS: ParameterTable = {
  arch: { type: 'string', oneOf: ['amd64', 'i386', 'arm64', 'armhf', 'riscv32', 'riscv64'] },
  cmode: { type: 'string', oneOf: ['shell', 'console', 'tty'] },
  console: flag,
  cores: { type: 'integer', minimum: 1, maximum: 8_192 },
  cpulimit: { type: 'number', minimum: 0, maximum: 8_192 },
  cpuunits: { type: 'integer', minimum: 0, maximum: 500_000 },
  debug: flag,
  description: { type: 'string', maxLength: 8_192 },
  'dev[n]': text,
  features: text,
  hookscript: text,
  hostname,
  lock: { type: 'string', oneOf: LOCKS },
  memory: { type: 'integer', minimum: 16 },
  'mp[n]': text,
  nameserver: text,
  'net[n]': text,
  onboot: flag,
  ostype: { type: 'string', oneOf: OS_TYPES },
  protection: flag,
  rootfs: text,
  searchdomain: text,
  startup: text,
  swap: { type: 'integer', minimum: 0 },
  tags: { type: 'string', format: ['tag list', /^[\w.\-+]+([;, ][\w.\-+]+)*$/] },
  template: flag,
  timezone: text,
  tty: { type: 'integer', minimum: 0, maximum: 6 },
  unprivileged: flag,
  'unused[n]': text,
};

export const TABLES = {
  none: {},
  onNode,
  onContainer,
  onTask,
  resources: { type: { type: 'string', oneOf: ['vm', 'storage', 'node', 'sdn'] } },
  nextid: { vmid },
  create: {
    ...CONFIG_OPTIONS,
    ...onContainer,
    ostemplate: { type: 'string', maxLength: 255, required: true },
    bwlimit: { type: 'number', minimum: 0 },
    force: flag,
    'ignore-unpack-errors': flag,
    password: { type: 'string', minLength: 5 },
    pool: text,
    restore: flag,
    'ssh-public-keys': text,
    start: flag,
    storage: storageId,
    unique: flag,
  },
  clone: {
    ...onContainer,
    newid: { ...vmid, required: true },
    full: flag,
    hostname: { ...hostname, maxLength: Number.POSITIVE_INFINITY },
    description: text,
    target: nodeName,
    pool: text,
    storage: storageId,
    snapname: configId,
    bwlimit: { type: 'number', minimum: 0 },
  },
  destroy: { ...onContainer, force: flag, purge: flag, 'destroy-unreferenced-disks': flag },
  readConfig: { ...onContainer, current: flag, snapshot: configId },
  configure: { ...CONFIG_OPTIONS, ...onContainer, delete: text, revert: text, digest },
  resize: {
    ...onContainer,
    disk: { type: 'string', required: true, pattern: /^(rootfs|mp\d{1,3})$/ },
    size: { type: 'string', required: true, pattern: /^\+?\d+(\.\d+)?[KMGT]?$/ },
    digest,
  },
  start: { ...onContainer, debug: flag, skiplock: flag },
  stop: { ...onContainer, skiplock: flag, 'overrule-shutdown': flag },
  shutdown: { ...onContainer, timeout: { type: 'integer', minimum: 0 }, forceStop: flag },
  reboot: { ...onContainer, timeout: { type: 'integer', minimum: 0 } },
  tasks: {
    ...onNode,
    errors: flag,
    limit: { type: 'integer', minimum: 0 },
    since: { type: 'integer' },
    source: { type: 'string', oneOf: ['archive', 'active', 'all'] },
    start: { type: 'integer', minimum: 0 },
    statusfilter: {
      type: 'string',
      format: ['task status', /^(ok|error|warning|unknown)([,; ](ok|error|warning|unknown))*$/],
    },
    typefilter: text,
    until: { type: 'integer' },
    userfilter: text,
    vmid,
  },
  taskLog: {
    ...onTask,
    start: { type: 'integer', minimum: 0 },
    limit: { type: 'integer', minimum: 0 },
    download: flag,
  },
} as const satisfies Readonly<Record<string, ParameterTable>>;
