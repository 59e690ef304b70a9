// An event for a service that has an instance on each member: it goes into the stream of each, and is accepted once
// every member that is heard of has it.
import { type LeaseHolder, type MemberView, unitOf } from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Published } from './publications.ts';

export interface EachTarget {
  readonly member: string;
  /** It has had an instance, and so it has a stream. */
  readonly hasStream: boolean;
  /** Its instance runs, as far as is known: a full stream is not its fault alone. */
  readonly runs: boolean;
}

/**
 * By the leases, because a member that has just come back announces its services only when it has loaded them. One that
 * has left is no target.
 */
export function eachTargets(
  plugin: string,
  { members, holders, own }: { members: readonly MemberView[]; holders: ReadonlyMap<string, LeaseHolder>; own: string },
): EachTarget[] {
  return members
    .filter(({ member }) => member === own || holders.has(unitOf(plugin, member)))
    .map(({ member, state, services }) => ({
      member,
      hasStream: holders.has(unitOf(plugin, member)),
      runs: state === 'active' && services.some((service) => service.plugin === plugin && service.fence !== null),
    }));
}

export function publishToEach(
  targets: readonly EachTarget[],
  publish: (member: string, answered: Published) => void,
  answered: Published,
): void {
  const outcomes = new Map<EachTarget, Parameters<Published>[0]>();
  if (targets.length === 0) return answered(nowhere());
  for (const target of targets)
    publish(target.member, (outcome) => {
      outcomes.set(target, outcome);
      if (outcomes.size === targets.length) answered(combined(outcomes));
    });
}

const nowhere = (): HostError =>
  new HostError('service_unavailable', 'The members of the cluster are not known yet.', { reason: 'no member' });

/** What does not keep the event from being accepted. */
const isBearable = ({ hasStream, runs }: EachTarget, { code }: HostError): boolean =>
  (!hasStream && code === 'service_unavailable') || (!runs && code === 'queue_full');

function combined(outcomes: ReadonlyMap<EachTarget, Parameters<Published>[0]>): Parameters<Published>[0] {
  let duplicate: boolean | undefined;
  for (const [target, outcome] of outcomes)
    if (!(outcome instanceof HostError)) duplicate = (duplicate ?? true) && outcome.duplicate;
    else if (!isBearable(target, outcome))
      return new HostError(
        outcome.code,
        `The member ${target.member} does not have the event: ${outcome.message} Others may have it; with an idempotencyKey it can be published again without harm.`,
        { ...outcome.details, member: target.member },
      );
  const [first] = outcomes.values();
  if (duplicate !== undefined) return { duplicate };
  return first instanceof HostError ? first : nowhere();
}
