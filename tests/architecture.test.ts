/**
 * The architecture as a test, so that ARCHITECTURE.md cannot drift from the code. It reads every
 * import as text: no compiler, hence no tool to outgrow.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const LINES_MAX = 300;

interface Rule {
  /** Layers that may be imported, beside the file's own. */
  readonly layers: readonly string[];
  readonly packages: readonly string[];
}

const LAYERS: Readonly<Record<string, Rule>> = {
  errors: { layers: [], packages: [] },
  environment: { layers: [], packages: ['zod'] },
  config: { layers: ['environment'], packages: ['zod'] },
  telemetry: { layers: [], packages: ['pino', 'prom-client'] },
  machines: { layers: [], packages: ['xstate'] },
  actors: { layers: ['machines', 'errors'], packages: ['xstate', 'lru-cache'] },
  view: { layers: ['actors', 'machines', 'errors'], packages: ['@xstate/store'] },
  storage: {
    layers: ['actors', 'view', 'machines', 'errors'],
    packages: [
      ...['pg', 'ioredis', 'redis-semaphore', '@prisma/adapter-pg', '@prisma/client'],
      'cron-parser',
    ],
  },
  clients: { layers: ['errors'], packages: ['nodemailer', 'stripe', 'undici', 'ws', 'zod'] },
  http: {
    layers: ['actors', 'view', 'machines', 'storage', 'clients', 'errors', 'telemetry'],
    packages: [
      ...['@statelyai/inspect', 'express', 'http-proxy-middleware', 'jose', 'lru-cache'],
      ...['rate-limiter-flexible', 'swagger-ui-dist', 'ws', 'zod'],
    ],
  },
  queues: {
    layers: ['actors', 'machines', 'storage', 'clients', 'errors', 'telemetry'],
    packages: ['@bull-board/api', '@bull-board/express', 'bullmq', 'express', 'zod'],
  },
  app: {
    layers: [
      'config',
      'telemetry',
      'machines',
      'actors',
      'view',
      'storage',
      'clients',
      'http',
      'queues',
      'errors',
    ],
    packages: ['ioredis', 'express'],
  },
  main: { layers: ['app', 'config', 'telemetry'], packages: [] },
};

/** What has one home, because whoever uses it decides something for everybody. */
const HOMES: Readonly<Record<string, { pattern: RegExp; homes: readonly string[] }>> = {
  'the environment, exits and signals': {
    pattern: /\bprocess\.(env|exit|on|kill)\b/,
    homes: ['src/main.ts'],
  },
  'the clock': { pattern: /\bDate\.now\b/, homes: ['src/app/foundation.ts'] },
  'the database client': {
    pattern: /\bnew (PrismaClient|Pool)\b/,
    homes: ['src/storage/database.ts'],
  },
  queues: { pattern: /\bnew Queue\b/, homes: ['src/queues/queues.ts'] },
  workers: { pattern: /\bnew Worker\b/, homes: ['src/queues/start-workers.ts'] },
  'HTTP statuses of errors': { pattern: /status: (4|5)\d\d\b/, homes: ['src/http/problem.ts'] },
};

const FORBIDDEN_NAME = /(^|[-/])(manager|helper|helpers|util|utils|common|service|dto|mock)s?[-.]/;

interface File {
  readonly path: string;
  readonly text: string;
}

const read = (pattern: string): File[] =>
  globSync(pattern)
    .filter((path) => !path.includes('/generated/'))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));

const sources = read('src/**/*.ts');
const GENERATED = ['web/src/api/schema.ts', 'web/src/chart/layout.ts'];
const web = read('web/src/**/*.{ts,tsx}').filter(({ path }) => !GENERATED.includes(path));
const lab = read('lab/**/*.ts').filter(({ path }) => !path.includes('node_modules'));

const importsOf = (text: string): string[] =>
  [...text.matchAll(/\b(?:from|import) '([^']+)'|\bimport\('([^']+)'\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
const layerOf = (path: string): string => /^src\/([^/.]+)/.exec(path)?.[1] ?? 'outside';
const clientOf = (path: string): string | undefined => /^src\/clients\/([^/]+)\//.exec(path)?.[1];
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function importViolations({ path, text }: File): string[] {
  const layer = layerOf(path);
  const rule = LAYERS[layer];
  if (!rule) return [`${path}: layer "${layer}" is not in the table`];
  const isAllowed = (specifier: string): boolean => {
    if (specifier.startsWith('node:')) return true;
    if (!specifier.startsWith('.')) return rule.packages.includes(packageOf(specifier));
    const target = join(dirname(path), specifier);
    if (clientOf(path) !== undefined && clientOf(target) !== undefined) {
      return clientOf(path) === clientOf(target);
    }
    return layerOf(target) === layer || rule.layers.includes(layerOf(target));
  };
  return importsOf(text)
    .filter((specifier) => !isAllowed(specifier))
    .map((specifier) => `${path} must not import ${specifier}`);
}

function homeViolations({ path, text }: File): string[] {
  return Object.entries(HOMES)
    .filter(([, { pattern, homes }]) => pattern.test(text) && !homes.includes(path))
    .map(([what, { homes }]) => `${path}: ${what} belong in ${homes.join(', ')}`);
}

function shapeViolations({ path, text }: File): string[] {
  const lines = text.split('\n').length - 1;
  return [
    ...(lines > LINES_MAX ? [`${path} has ${lines} lines`] : []),
    ...(FORBIDDEN_NAME.test(path) ? [`${path}: says what it is, not what it is for`] : []),
    ...(/\bTODO\b|\bFIXME\b/.test(text) ? [`${path}: a TODO without an issue`] : []),
  ];
}

const outsideOf = (folder: string, { path, text }: File): string[] =>
  importsOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .filter((specifier) => !join(dirname(path), specifier).startsWith(`${folder}/`))
    .map((specifier) => `${path} must not import ${specifier}`);
const labViolations = (file: File): string[] => outsideOf('lab', file);

describe('the sources', () => {
  test('there are some', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(lab.length).toBeGreaterThan(20);
  });

  test('import only what their layer may', () => {
    expect(sources.flatMap(importViolations)).toEqual([]);
  });

  test('leave to its home what has one', () => {
    expect(sources.flatMap(homeViolations)).toEqual([]);
  });

  test('are small, and named after what they are for', () => {
    expect([...sources, ...lab, ...web].flatMap(shapeViolations)).toEqual([]);
  });

  test('the lab stands by itself', () => {
    expect(lab.flatMap(labViolations)).toEqual([]);
  });

  test('the page stands by itself', () => {
    expect(web.length).toBeGreaterThan(20);
    expect(web.flatMap((file) => outsideOf('web/src', file))).toEqual([]);
  });
});

describe('the rules bite', () => {
  const planted = (path: string, text: string): File => ({ path, text });

  test.each([
    ['a machine that imports a package', 'src/machines/x.ts', "import { z } from 'zod';"],
    ['a machine that imports a layer above', 'src/machines/x.ts', "import '../http/server.ts';"],
    ['http that imports queues', 'src/http/x.ts', "import { a } from '../queues/relay.ts';"],
    ['the view that imports storage', 'src/view/x.ts', "import '../storage/journal.ts';"],
    ['a client that imports another', 'src/clients/agent/x.ts', "import '../proxmox/upid.ts';"],
    ['a dynamic import', 'src/actors/x.ts', "await import('../storage/database.ts');"],
    ['a layer that nobody knows', 'src/helpers/x.ts', ''],
  ])('on %s', (_, path, text) => {
    expect(importViolations(planted(path, text))).toHaveLength(1);
  });

  test.each([
    ['src/http/x.ts', 'process.env.HOME'],
    ['src/queues/x.ts', 'const at = Date.now();'],
    ['src/http/routes/x.ts', 'new PrismaClient()'],
    ['src/clients/x.ts', 'return { status: 404 };'],
  ])('on %s with %s', (path, text) => {
    expect(homeViolations(planted(path, text))).toHaveLength(1);
  });

  test('on size, names and TODOs', () => {
    expect(shapeViolations(planted('src/http/x.ts', 'a\n'.repeat(LINES_MAX + 1)))).toHaveLength(1);
    expect(shapeViolations(planted('src/http/string-utils.ts', ''))).toHaveLength(1);
    expect(shapeViolations(planted('src/http/x.ts', '// TODO later'))).toHaveLength(1);
    expect(labViolations(planted('lab/x.ts', "import '../src/config.ts';"))).toHaveLength(1);
    expect(outsideOf('web/src', planted('web/src/x.ts', "import '../../src/a.ts';"))).toHaveLength(
      1,
    );
  });
});
