import { and, not } from 'xstate';

import {
  acceptPublish,
  acceptRepublish,
  acceptUnpublish,
  adoptPlan,
  beginPublish,
  beginRemove,
  endCall,
  failEdge,
  giveUpCalls,
  loseTarget,
  oweEdge,
  settleUnpublished,
  succeedEdge,
} from '../edge-steps.ts';
import { instanceSetup } from '../setup.ts';
import { resetAttempts } from '../steps.ts';

/** A wish to publish what is published or to be: the same again, or something else instead. */
const publishes = [
  { guard: and(['mayPublish', 'isPlanKept']), actions: acceptRepublish },
  { guard: 'mayPublish', actions: acceptPublish },
] as const;
const republishes = [
  {
    guard: and(['mayPublish', 'isPlanKept']),
    target: '#instance.edge.publishing',
    actions: acceptRepublish,
  },
  { guard: 'mayPublish', actions: acceptPublish },
] as const;
const unpublishes = { guard: 'mayUnpublish', actions: acceptUnpublish } as const;
const isWithdrawn = { guard: 'isUnpublishDemanded', target: 'unpublishing' } as const;

/** How a call to publish a target ends, also when nobody wants it any more. */
const answers = {
  'target.published': { guard: 'isEdgeOp', actions: endCall('published') },
  'effect.failed': { guard: 'isEdgeOp', actions: endCall('failed') },
} as const;

/** Something is missing outside: tried again, with pauses that grow, for as long as it is wanted. */
const short = {
  entry: failEdge('publish'),
  on: {
    'publish.requested': republishes,
    'unpublish.requested': unpublishes,
    // Told again with the others.
    'target.lost': { guard: 'isPublishedAt', actions: loseTarget },
  },
  after: { edgePause: 'publishing' },
} as const;

/**
 * Edge: is the container known outside? A saga over targets, each with a call of its own and an
 * undo. It follows readiness and existence, not power: a container that is off keeps its names.
 * What is to be removed is removed only when no call is in flight that could bring it back.
 */
export const edge = instanceSetup.createStateConfig({
  initial: 'unpublished',
  always: { guard: 'isEdgeOverdue', target: '.unpublished', actions: oweEdge },
  states: {
    unpublished: {
      description: 'Nothing of it is known outside',
      entry: [resetAttempts('edge'), ...settleUnpublished],
      always: [
        { guard: 'hasNextPlan', actions: adoptPlan },
        { guard: 'isPublishDemanded', target: 'publishing' },
      ],
      on: { 'publish.requested': publishes },
    },
    publishing: {
      description: 'Every target is told',
      tags: 'transient',
      entry: beginPublish,
      always: [
        isWithdrawn,
        { guard: and(['hasFreeEdgeLanes', 'isEdgeWhole']), target: 'published' },
        { guard: and(['isEdgeShort', 'isNothingPublished']), target: 'failed' },
        { guard: 'isEdgeShort', target: 'degraded' },
      ],
      on: { ...answers, 'publish.requested': publishes, 'unpublish.requested': unpublishes },
      after: {
        publishDeadline: [
          { guard: 'isNothingPublished', target: 'failed', actions: giveUpCalls('failed') },
          { target: 'degraded', actions: giveUpCalls('failed') },
        ],
      },
    },
    published: {
      description: 'Every target has it',
      entry: [resetAttempts('edge'), succeedEdge('publish')],
      always: [isWithdrawn, { guard: 'isProxyTroubled', target: 'degraded' }],
      on: {
        'publish.requested': republishes,
        'unpublish.requested': unpublishes,
        'target.lost': { guard: 'isPublishedAt', target: 'publishing', actions: loseTarget },
      },
    },
    degraded: {
      description: 'Some targets have it and others do not yet; they are told again',
      always: [isWithdrawn, { guard: 'isEdgeWhole', target: 'published' }],
      ...short,
    },
    failed: {
      description: 'No target has it yet; they are told again',
      always: [isWithdrawn, { guard: 'isEdgeWhole', target: 'published' }],
      ...short,
    },
    unpublishing: {
      description: 'On the way to being unknown',
      tags: 'transient',
      entry: resetAttempts('edge'),
      initial: 'settling',
      states: {
        settling: {
          description: 'Lets calls in flight end, which could bring back what is removed',
          always: { guard: 'hasFreeEdgeLanes', target: 'removing' },
          on: answers,
          after: { edgeSettleDeadline: { target: 'removing', actions: giveUpCalls('failed') } },
        },
        removing: {
          description: 'Every target is told to forget it',
          entry: beginRemove,
          always: [
            {
              guard: and(['hasFreeEdgeLanes', 'isNothingLeft', 'isProxyGone']),
              target: '#instance.edge.unpublished',
            },
            { guard: and(['hasFreeEdgeLanes', not('isNothingLeft')]), target: 'pausing' },
          ],
          on: {
            'target.removed': { guard: 'isEdgeOp', actions: endCall('absent') },
            'effect.failed': { guard: 'isEdgeOp', actions: endCall('stuck') },
          },
          after: { removeDeadline: { target: 'pausing', actions: giveUpCalls('stuck') } },
        },
        pausing: {
          description: 'Some targets have not forgotten it; they are told again',
          entry: failEdge('unpublish'),
          always: {
            guard: 'mayOweEdge',
            target: '#instance.edge.unpublished',
            actions: oweEdge,
          },
          after: { edgePause: 'removing' },
        },
      },
      on: { 'publish.requested': publishes, 'unpublish.requested': unpublishes },
    },
  },
});
