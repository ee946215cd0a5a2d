import { describe, expect, test } from 'vitest';

import type { ExplainedRegion } from '../../src/machines/instance/why.ts';
import { explained } from '../support/explained.ts';
import { begin, power, published, removal, serve } from '../support/instance-life.ts';

const wordsOf = ({ next }: ExplainedRegion) =>
  next.map(({ kind, on, state }) => [kind, on, state].filter(Boolean).join(' '));

describe('an explanation', () => {
  test('says what a new order waits for, until when, and where that leads', () => {
    const life = begin();

    const { provisioning, agent } = explained(life.state);

    expect(provisioning).toMatchObject({
      state: 'cloning.performing',
      description: 'The template is cloned into a new container',
      isTransient: true,
      since: 5,
      waitsFor: {
        calls: [{ lane: 'host', kind: 'clone', upid: null }],
        events: ['container.cloned', 'effect.failed'],
      },
      deadline: { name: 'cloneDeadline', dueAt: 1_000 },
    });
    expect(wordsOf(provisioning)).toEqual([
      'deadline cloneDeadline failed',
      'event container.cloned configuring',
      'event effect.failed cloning.pausing',
      'event effect.failed failed',
      'wish delete.requested deleting',
    ]);
    expect(agent.waitsFor.conditions).toEqual(['isHostRunning']);
    expect(agent.deadline).toBeNull();
  });

  test('of what is published says what would move it, and of a lack what is asked again', () => {
    const life = published();
    const { edge, proxy } = explained(life.state);
    life.send({ type: 'target.lost', kind: 'public_dns', message: 'it is gone' });
    const lacking = explained(life.state);

    expect(wordsOf(edge).sort()).toEqual([
      'condition degraded',
      'condition unpublished',
      'condition unpublishing',
      'event target.lost publishing',
      'wish publish.requested publishing',
    ]);
    expect(proxy.waitsFor.events).toEqual(['proxy.reported', 'proxy.observed']);
    expect(lacking.edge).toMatchObject({
      state: 'publishing',
      isTransient: true,
      waitsFor: { calls: [{ lane: 'public_dns', kind: 'publish' }] },
    });
  });

  test('between two attempts, waits for the pause and not for an answer', () => {
    const life = begin();
    life.fail('host', true);

    const { provisioning } = explained(life.state);

    expect(provisioning.waitsFor).toEqual({ calls: [], events: [], conditions: [] });
    expect(wordsOf(provisioning)).toEqual([
      'deadline provisioningPause cloning.performing',
      'deadline cloneDeadline failed',
      'wish delete.requested deleting',
    ]);
  });

  test('names only the wishes that would be accepted', () => {
    const wishes = (region: ExplainedRegion) =>
      region.next.filter(({ kind }) => kind === 'wish').map(({ on }) => on);
    const life = serve();
    const before = explained(life.state);
    life.send(power('stop'));
    const after = explained(life.state);

    expect(wishes(before.host)).toEqual(['stop.requested', 'restart.requested']);
    expect(wishes(after.host)).toEqual([]);
    expect(after.host.waitsFor.calls).toMatchObject([{ lane: 'host', kind: 'shutdown' }]);
    expect(after.host.description).toBe('The container is asked to end itself');
  });

  test('leaves a call to the region that waits for it', () => {
    const life = begin();
    life.send({ ...removal, force: false });

    const { provisioning, host } = explained(life.state);

    expect(provisioning.waitsFor.calls[0]?.kind).toBe('clone');
    expect(provisioning.waitsFor.conditions).toEqual(['isReadyToDestroy']);
    expect(host.waitsFor.calls).toEqual([]);
  });

  test('does not speak of a timer that is not armed', () => {
    const { provisioning } = explained(begin().state, []);

    expect(provisioning.deadline).toBeNull();
    expect(provisioning.next.some(({ kind }) => kind === 'deadline')).toBe(false);
  });
});
