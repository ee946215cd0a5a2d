import { z } from 'zod';

import type { AgentCodeServer, CodeServerVerb } from '../../clients/agent/codeserver.ts';
import type { FindEntry } from '../../view/entry.ts';
import { devAddressOf, forward, requireDev } from '../agent-access.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import type { Admission } from '../ide/admission.ts';
import type { IdePlaces } from '../ide/place.ts';
import { requireEntry, vmidParam } from './servers.ts';

export interface DevDependencies {
  readonly find: FindEntry;
  readonly codeServer: Pick<AgentCodeServer, 'control'>;
  readonly admission: Pick<Admission, 'invite'>;
  readonly places: Pick<IdePlaces, 'urlOf'>;
}

const ideTokenView = z
  .object({
    ok: z.literal(true),
    token: z.string().describe('Opens this IDE, once'),
    expiresIn: z.number().int().describe('Seconds'),
    url: z.string().describe('Where to send the browser: the token stands in it'),
    vmid: z.number().int(),
  })
  .meta({ id: 'IdeToken' });

/** The IDE of a dev container: a way into it, and whether it runs. */
export function devEndpoints(dependencies: DevDependencies): readonly AnyEndpoint[] {
  const { find, codeServer, admission, places } = dependencies;
  const base = {
    tag: 'dev',
    method: 'post',
    params: z.object({ id: vmidParam }),
    query: nothing,
    body: nothing,
  } as const;

  const verbEndpoint = (verb: CodeServerVerb) =>
    endpoint({
      ...base,
      operationId: `${verb}CodeServer`,
      summary: `Have the agent ${verb} the IDE`,
      path: `/api/dev/:id/codeserver/${verb}`,
      replies: { 202: z.object({ ok: z.literal(true) }) },
      problems: [
        'unauthenticated',
        'not_found',
        'refused',
        'host_not_running',
        'agent_refused',
        'upstream_failed',
      ],
      async handle({ params: { id }, principal, signal }) {
        const ip = devAddressOf(await requireEntry(find, id, principal));
        await forward(() => codeServer.control(ip, verb, { signal }));
        return { status: 202, body: { ok: true } };
      },
    });

  return [
    endpoint({
      ...base,
      operationId: 'createIdeToken',
      summary: 'A link that opens the IDE of a dev container, once; also while that is off',
      path: '/api/dev/:id/ide-token',
      replies: { 200: ideTokenView },
      problems: ['unauthenticated', 'not_found', 'refused'],
      async handle({ params: { id: vmid }, principal, header }) {
        const entry = await requireEntry(find, vmid, principal);
        requireDev(entry);
        const { token, expiresIn } = await admission.invite(entry, principal);
        const isForeign = entry.customerId !== principal.userId;
        const url = places.urlOf(vmid, token, { host: header('host') ?? '', isForeign });
        const headers = { 'Cache-Control': 'no-store' };
        return { status: 200, headers, body: { ok: true, token, expiresIn, url, vmid } };
      },
    }),
    verbEndpoint('start'),
    verbEndpoint('stop'),
    verbEndpoint('restart'),
  ];
}
