import type { Call, Endpoint } from '../endpoint.ts';
import { badParameters } from '../errors.ts';
import { TABLES } from '../parameter-tables.ts';
import type { Parameters } from '../parameters.ts';
import { isUpid, type Task } from '../tasks.ts';

const TASKS = '/nodes/{node}/tasks';
const ONE = `${TASKS}/{upid}`;

export const taskEndpoints: readonly Endpoint[] = [
  { method: 'GET', path: TASKS, parameters: TABLES.tasks, handle: listTasks },
  {
    method: 'GET',
    path: `${ONE}/status`,
    parameters: TABLES.onTask,
    handle: (call) => statusView(taskOf(call)),
  },
  { method: 'GET', path: `${ONE}/log`, parameters: TABLES.taskLog, handle: readLog },
  {
    method: 'DELETE',
    path: ONE,
    parameters: TABLES.onTask,
    handle(call) {
      call.cluster.tasks.interrupt(taskOf(call).upid);
      return null;
    },
  },
];

function taskOf({ cluster, parameters }: Call): Task {
  const upid = parameters.text('upid') ?? '';
  if (!isUpid(upid)) throw badParameters({ upid: 'unable to parse worker upid' });
  const task = cluster.tasks.get(upid);
  if (!task) throw badParameters({ upid: 'no such task' });
  return task;
}

function listTasks({ cluster, parameters, origin, attributes }: Call): Record<string, unknown>[] {
  const source = parameters.text('source') ?? 'archive';
  const start = parameters.integer('start') ?? 0;
  const limit = parameters.integer('limit') ?? 50;
  const tasks = cluster.tasks.list(origin.node);
  const active = tasks.filter((task) => task.exitstatus === undefined);
  const archived = tasks.filter((task) => task.exitstatus !== undefined);
  const found = [
    ...(source === 'archive' ? [] : active),
    ...(source === 'active' ? [] : archived),
  ].filter((task) => isWanted(parameters, task));
  attributes.total = found.length;
  return found.slice(start, start + limit).map((task) => ({
    ...ownerView(task),
    status: task.exitstatus ?? 'RUNNING',
    ...(task.endtime === undefined ? {} : { endtime: task.endtime }),
  }));
}

function isWanted(parameters: Parameters, task: Task): boolean {
  const user = parameters.text('userfilter')?.toLowerCase();
  if (user && !task.user.toLowerCase().includes(user)) return false;
  const type = parameters.text('typefilter');
  if (type && task.type !== type) return false;
  const vmid = parameters.text('vmid');
  if (vmid && task.id !== vmid) return false;
  if (task.starttime < (parameters.integer('since') ?? 0)) return false;
  if (task.starttime > (parameters.integer('until') ?? Number.POSITIVE_INFINITY)) return false;
  const kind = kindOf(task.exitstatus);
  if (parameters.flag('errors')) return kind !== 'ok';
  const kinds = parameters.text('statusfilter')?.split(/[,; ]/);
  return !kinds || kinds.includes(kind);
}

function kindOf(exitstatus: string | undefined): 'ok' | 'warning' | 'error' | 'unknown' {
  if (exitstatus === undefined || exitstatus === 'unexpected status') return 'unknown';
  if (exitstatus === 'OK') return 'ok';
  return exitstatus.startsWith('WARNINGS: ') ? 'warning' : 'error';
}

function statusView(task: Task): Record<string, unknown> {
  const { exitstatus } = task;
  return {
    ...ownerView(task),
    status: exitstatus === undefined ? 'running' : 'stopped',
    ...(exitstatus === undefined ? {} : { exitstatus }),
  };
}

/** A token's task belongs to its user; the token itself is told beside it. */
function ownerView({ upid, node, pid, pstart, starttime, type, id, user }: Task) {
  const [owner, tokenid] = user.split('!');
  const token = tokenid === undefined ? {} : { tokenid };
  return { upid, node, pid, pstart, starttime, type, id, user: owner, ...token };
}

function readLog(call: Call): { n: number; t: string }[] {
  const { log } = taskOf(call);
  const start = call.parameters.integer('start') ?? 0;
  const limit = call.parameters.integer('limit') ?? 50;
  call.attributes.total = log.length;
  if (log.length === 0) return [{ n: 1, t: 'no content' }];
  const end = limit === 0 ? undefined : start + limit;
  return log.slice(start, end).map((t, index) => ({ n: start + index + 1, t }));
}
