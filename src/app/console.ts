import { randomBytes } from 'node:crypto';

import type { Authenticate } from '../http/auth/principal.ts';
import { createCommands } from '../http/console/commands.ts';
import { CONSOLE_LIMITS, type ConsoleHub, createConsoleHub } from '../http/console/hub.ts';
import { createConsoleTaker } from '../http/console/taker.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { consoleEndpoints } from '../http/routes/console.ts';
import type { UpgradeTaker } from '../http/upgrades.ts';
import { createConsoleTickets } from '../storage/console-tickets.ts';
import { createFindRoles } from '../storage/credentials.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Foundation } from './foundation.ts';
import type { View } from './view.ts';

type ConsoleParts = Pick<
  Foundation,
  'actors' | 'agents' | 'closing' | 'config' | 'consoles' | 'database' | 'logger' | 'now' | 'redis'
> &
  Partial<Pick<Foundation, 'metrics'>>;

export interface ConsoleSide {
  readonly endpoints: readonly AnyEndpoint[];
  createTaker(authenticate: Authenticate): UpgradeTaker;
}

/** The consoles of the games, for those who look at them and type into them. */
export function createConsoleSide(
  parts: ConsoleParts,
  { fleet, find }: Pick<View, 'fleet' | 'find'>,
): ConsoleSide {
  const { actors, agents, config, consoles, database, logger, metrics, now, redis } = parts;
  const { commandsPerS, ...configured } = config.console;
  const limits = { ...CONSOLE_LIMITS, ...configured };
  const findRoles = createFindRoles(database.pool);
  const tickets = createConsoleTickets(redis, config.redis.prefix);
  const sendCommand = createCommands({ find, actors, agents, perS: commandsPerS });
  const hub = createConsoleHub({
    ...{ consoles, fleet, sendCommand, limits, findRoles, logger, now },
    ...{ random: Math.random, closing: parts.closing.signal },
  });
  if (metrics) measureConsoles(hub, metrics);
  return {
    endpoints: consoleEndpoints({
      ...{ find, sendCommand, tickets },
      randomToken: () => randomBytes(32).toString('base64url'),
    }),
    createTaker: (authenticate) =>
      createConsoleTaker({
        ...{ hub, authenticate, tickets, findRoles, find, now },
        ...{ corsOrigins: config.http.corsOrigins, commandBytesMax: limits.commandBytesMax },
      }),
  };
}

function measureConsoles(hub: ConsoleHub, metrics: Metrics): void {
  const single = (name: string, help: string, value: () => number) =>
    metrics.addSource({ name, help, labels: [], read: () => [{ labels: {}, value: value() }] });
  single('zpack_console_viewers', 'Who look at consoles here', () => hub.counts().viewers);
  single(
    'zpack_console_missed_lines',
    'Lines that viewers were told are not kept any more, since the start',
    () => hub.counts().missedLines,
  );
  metrics.addSource({
    name: 'zpack_console_upstreams',
    help: 'Consoles that somebody looks at, by whether their agent is there',
    labels: ['state'],
    read() {
      const { live, away } = hub.counts();
      return [
        { labels: { state: 'live' }, value: live },
        { labels: { state: 'away' }, value: away },
      ];
    },
  });
  metrics.addSource({
    name: 'zpack_console_closed',
    help: 'Consoles that this process has closed, by the reason it gave, since the start',
    labels: ['reason'],
    read: () => [...hub.counts().closed].map(([reason, value]) => ({ labels: { reason }, value })),
  });
}
