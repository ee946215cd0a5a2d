import { randomBytes } from 'node:crypto';

import { devAddressOf, forward } from '../http/agent-access.ts';
import type { Tokens } from '../http/auth/tokens.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { createHostPower } from '../http/host-power.ts';
import { createAdmission } from '../http/ide/admission.ts';
import { createContainerProxy } from '../http/ide/container-proxy.ts';
import { createExchanges } from '../http/ide/exchanges.ts';
import { createIde, type Ide } from '../http/ide/ide.ts';
import { createIdePlaces } from '../http/ide/place.ts';
import { devEndpoints } from '../http/routes/dev.ts';
import { createFindRoles } from '../storage/credentials.ts';
import { createUsedTokens } from '../storage/used-tokens.ts';
import { createAsk } from './ask.ts';
import type { Foundation } from './foundation.ts';
import type { View } from './view.ts';

/** So many containers may take all that one of them may, at a time; of one account, so many. */
const FULL_CONTAINERS = 16;
const FULL_OF_ACCOUNT = 4;

type IdeParts = Pick<
  Foundation,
  | 'actors'
  | 'closing'
  | 'codeServer'
  | 'config'
  | 'database'
  | 'logger'
  | 'now'
  | 'randomId'
  | 'redis'
> &
  Partial<Pick<Foundation, 'metrics'>>;

export interface IdeSide {
  readonly endpoints: readonly AnyEndpoint[];
  readonly ide: Ide;
}

/** IDEs of dev containers: how one gets in, and what is passed on. */
export function createIdeSide(
  parts: IdeParts,
  { find, fleet }: Pick<View, 'find' | 'fleet'>,
  tokens: Tokens,
): IdeSide {
  const { config, database, redis, codeServer, closing, logger, metrics, now } = parts;
  const { isSecure, connectionsMax } = config.ide;
  const cookieTtlS = config.auth.ideCookieTtlS;
  const findRoles = createFindRoles(database.pool);
  const places = createIdePlaces(config.ide);
  const usedTokens = createUsedTokens(redis, config.redis.prefix);
  const admission = createAdmission({
    ...{ tokens, cookieTtlS, usedTokens, findRoles, find, now },
    randomId: () => randomBytes(12).toString('base64url'),
  });
  const limits = {
    perContainer: connectionsMax,
    perAccount: connectionsMax * FULL_OF_ACCOUNT,
    perNode: connectionsMax * FULL_CONTAINERS,
  };
  const exchanges = createExchanges({
    ...{ limits, findRoles, fleet, now, closing: closing.signal },
  });
  metrics?.addSource({
    name: 'zpack_ide_connections',
    help: 'Requests and WebSockets that this process passes on to IDEs right now',
    labels: [],
    read: () => [{ labels: {}, value: exchanges.count() }],
  });
  const power = createHostPower(createAsk(parts));
  const act: Parameters<typeof createIde>[0]['act'] = async (action, { principal, entry }) => {
    if (action === 'restart') {
      await forward(() => codeServer.control(devAddressOf(entry), 'restart'));
      return;
    }
    const { id: instanceId, vmid } = entry;
    const { userId } = principal;
    await power({ verb: 'start', instanceId, vmid, userId, idempotencyKey: null });
  };
  const proxy = createContainerProxy({ ...config.ide, framers: config.http.corsOrigins });
  const { port } = config.ide;
  return {
    endpoints: devEndpoints({ find, codeServer, admission, places }),
    ide: createIde({
      ...{ places, admission, exchanges, proxy, act, isSecure, cookieTtlS, port, logger },
    }),
  };
}
