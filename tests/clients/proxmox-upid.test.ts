import fc from 'fast-check';
import { expect, test } from 'vitest';

import { formatUpid, parseUpid } from '../../src/clients/proxmox/upid.ts';

test('a UPID is read into its parts', () => {
  const upid = 'UPID:pve-1:0000C530:001C9BEC4:5F8D8F5C:vzstart:101:zpack@pve!api:';

  expect(parseUpid(upid)).toEqual({
    node: 'pve-1',
    pid: 0xc530,
    pstart: 0x1c9bec4,
    starttime: 0x5f8d8f5c,
    type: 'vzstart',
    id: '101',
    user: 'zpack@pve!api',
  });
});

test('a task that works on nothing in particular has an empty id', () => {
  const upid = 'UPID:pve:0000C530:001C9BEC:5F8D8F5C:startall::root@pam:';

  expect(parseUpid(upid)).toMatchObject({ type: 'startall', id: '' });
});

test.each([
  ['', 'nothing'],
  ['UPID:pve:0000C530:001C9BEC:5F8D8F5C:vzstart:101:root@pam', 'no final colon'],
  ['UPID:-pve:0000C530:001C9BEC:5F8D8F5C:vzstart:101:root@pam:', 'a node that starts with a dash'],
  ['UPID:pve:C530:001C9BEC:5F8D8F5C:vzstart:101:root@pam:', 'a short pid'],
  ['UPID:pve:0000C530:001C9BEC:5F8D8F5C:vz/start:101:root@pam:', 'a slash'],
  ['UPID:pve:0000C530:001C9BEC:5F8D8F5C:vzstart:1 1:root@pam:', 'a blank'],
])('%s is no UPID: %s', (text) => {
  expect(parseUpid(text)).toBeNull();
});

test('what is formatted can be read again', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/);
  const stamp = fc.integer({ min: 0, max: 0xffffffff });
  const parts = fc.record({
    node: word,
    pid: stamp,
    pstart: fc.integer({ min: 0, max: 0xfffffffff }),
    starttime: stamp,
    type: word,
    id: fc.oneof(fc.constant(''), fc.integer({ min: 100, max: 999_999_999 }).map(String)),
    user: word.map((name) => `${name}@pve!token`),
  });

  fc.assert(
    fc.property(parts, (one) => {
      expect(parseUpid(formatUpid(one))).toEqual(one);
    }),
  );
});
