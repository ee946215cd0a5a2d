import { describe, expect, test } from 'vitest';

import {
  answerFailure,
  failedBecause,
  taskFailure,
  transportFailure,
} from '../../src/clients/proxmox/failure.ts';

/** Status, text, our reason, may it succeed later. Every row of the table of known answers. */
const ANSWERS: readonly (readonly [number, string, string, boolean])[] = [
  [401, 'No ticket', 'unauthenticated', false],
  [401, 'permission denied - invalid PVE ticket', 'unauthenticated', false],
  [401, 'Authentication failed!', 'unauthenticated', false],
  [401, 'authentication failure', 'unauthenticated', false],
  [401, 'Permission denied - invalid csrf token', 'unauthenticated', false],
  [403, 'Permission check failed (/vms/101, VM.PowerMgmt)', 'forbidden', false],
  [
    403,
    "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket.)",
    'forbidden',
    false,
  ],
  [501, "Method 'GET /x' not implemented", 'not_implemented', false],
  [501, "Unexpected content for method 'DELETE'", 'not_implemented', false],
  [500, "Configuration file 'nodes/pve/lxc/101.conf' does not exist", 'container_missing', false],
  [500, 'CT 101 already running', 'already_running', false],
  [500, 'CT 101 not running', 'not_running', false],
  [500, 'VM 101 not running', 'not_running', false],
  [500, 'unable to destroy CT 101 - container is running', 'container_is_running', false],
  [500, "can't remove CT 101 - protection mode enabled", 'protected', false],
  [500, 'CT is locked (backup)', 'container_locked', true],
  [500, "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout", 'lock_timeout', true],
  [500, "CT 101 already exists on node 'pve'", 'vmid_taken', false],
  [500, "unable to create CT 101 - CT 101 already exists on node 'pve'", 'vmid_taken', false],
  [500, 'cluster not ready - no quorum?', 'no_quorum', true],
  [500, 'unable to shrink disk size', 'disk_size_refused', false],
  [500, 'disk is already at specified size', 'disk_size_refused', false],
  [500, "snapshot name 'x' already used", 'snapshot_exists', false],
  [500, "snapshot 'x' does not exist", 'snapshot_missing', false],
  [500, 'unable to get any free VMID in range [100, 1000000]', 'vmid_range_exhausted', false],
  [500, "hostname lookup 'x' failed - failed to get address info", 'node_unreachable', true],
  [500, "no such cluster node 'x'", 'node_unreachable', true],
  [595, 'Connection refused', 'node_unreachable', true],
  [596, 'Broken pipe', 'node_unreachable', true],
  [597, 'Connection reset by peer', 'node_unreachable', true],
  [598, '', 'node_unreachable', true],
  [599, 'Too many redirections', 'node_unreachable', true],
  [502, 'Bad Gateway', 'node_unreachable', true],
  [504, 'Gateway Timeout', 'node_unreachable', true],
  [500, 'lvcreate failed: exit code 5', 'unexplained', true],
];

const EXITS: readonly (readonly [string, string, boolean])[] = [
  ['CT is locked (backup)', 'container_locked', true],
  ["can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout", 'lock_timeout', true],
  ["you can't start a CT if it's a template", 'is_template', false],
  ['container did not stop', 'shutdown_timed_out', false],
  ['CT 101 not running', 'not_running', false],
  ["snapshot name 'x' already used", 'snapshot_exists', false],
  ['unexpected status', 'task_interrupted', true],
  ['received interrupt', 'task_interrupted', true],
  ['startup for container 101 failed', 'task_failed', false],
];

describe.each(ANSWERS)('%i %s', (status, text, reason, retryable) => {
  test.each([
    ['the reason phrase alone', { statusText: text, body: '' }],
    [
      'the body alone',
      { statusText: '', body: JSON.stringify({ data: null, message: `${text}\n` }) },
    ],
    ['both', { statusText: text, body: JSON.stringify({ data: null, message: text }) }],
  ])('in %s', (_, answer) => {
    const error = answerFailure('POST /x', { status, ...answer });

    expect(error).toMatchObject({ code: 'upstream_failed', reason, retryable });
    expect(String(error.cause)).toContain(text);
    expect(error.message).toBe(`proxmox: POST /x: ${reason}`);
  });
});

test('a refused parameter is named in the cause', () => {
  const errors = { vmid: "type check ('integer') failed - got 'x'" };
  const body = JSON.stringify({ data: null, message: 'Parameter verification failed.\n', errors });

  const error = answerFailure('GET /x', { status: 400, statusText: 'Parameter…', body });

  expect(error).toMatchObject({ reason: 'invalid_parameters', retryable: false });
  expect(String(error.cause)).toContain("vmid: type check ('integer') failed - got 'x'");
});

test.each([
  [{ vmid: 'VM 101 already exists' }, 'vmid_taken'],
  [{ upid: 'no such task' }, 'task_missing'],
  [{ upid: 'unable to parse worker upid' }, 'task_missing'],
  [{ cores: 'property is not defined in schema' }, 'invalid_parameters'],
])('a 400 with %j is %s', (errors, reason) => {
  const body = JSON.stringify({ data: null, errors });

  expect(answerFailure('GET /x', { status: 400, statusText: '', body })).toMatchObject({ reason });
});

test.each(EXITS)('a task that ends with "%s" is %s', (exitstatus, reason, retryable) => {
  expect(taskFailure('task', exitstatus)).toMatchObject({ reason, retryable });
});

test.each([
  ['ECONNREFUSED', 'not_connected'],
  ['ENOTFOUND', 'not_connected'],
  ['UND_ERR_CONNECT_TIMEOUT', 'not_connected'],
  ['ECONNRESET', 'no_answer'],
  ['UND_ERR_SOCKET', 'no_answer'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate_refused'],
  ['CERT_HAS_EXPIRED', 'certificate_refused'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate_refused'],
])('a connection that ends with %s is %s', (code, reason) => {
  const error = Object.assign(new Error('it broke'), { code });

  expect(transportFailure('GET /x', error)).toMatchObject({ reason });
});

test('a deadline and a caller that gives up are told apart', () => {
  const [timeout, abort] = ['TimeoutError', 'AbortError'].map((name) => new DOMException('', name));

  expect(failedBecause(transportFailure('GET /x', timeout), 'timed_out')).toBe(true);
  expect(failedBecause(transportFailure('GET /x', abort), 'aborted')).toBe(true);
});
