import { nextVmid } from '../cluster.ts';
import type { Endpoint } from '../endpoint.ts';
import { badParameters } from '../errors.ts';
import { TABLES } from '../parameter-tables.ts';
import { nodeViews, resourceViews, storageViews } from '../views.ts';

const RELEASE = { version: '9.1.3', release: '9.1', repoid: '8e7c6a1d' };

export const clusterEndpoints: readonly Endpoint[] = [
  { method: 'GET', path: '/version', parameters: TABLES.none, handle: () => RELEASE },
  {
    method: 'GET',
    path: '/cluster/resources',
    parameters: TABLES.resources,
    handle({ cluster, parameters }) {
      const type = parameters.text('type');
      return [
        ...(type === undefined || type === 'vm' ? resourceViews(cluster) : []),
        ...(type === undefined || type === 'node' ? nodeViews(cluster) : []),
        ...(type === undefined || type === 'storage' ? storageViews(cluster) : []),
      ];
    },
  },
  {
    method: 'GET',
    path: '/cluster/nextid',
    parameters: TABLES.nextid,
    handle({ cluster, parameters }) {
      const vmid = parameters.integer('vmid');
      if (vmid === undefined) return String(nextVmid(cluster));
      if (cluster.containers.get(vmid)) throw badParameters({ vmid: `VM ${vmid} already exists` });
      return String(vmid);
    },
  },
  {
    method: 'GET',
    path: '/nodes',
    parameters: TABLES.none,
    handle: ({ cluster }) => nodeViews(cluster),
  },
];
