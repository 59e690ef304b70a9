// An event for a service that has an instance on each member: it goes into the stream of each, and is accepted once
// every member that is heard of has it.
import type { MemberView } from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Published } from './publications.ts';

export interface EachTarget {
  readonly member: string;
  /** Without it the event is not accepted. */
  readonly needed: boolean;
}

/** `hasOwn`: the instance of this member has its place. */
export function eachTargets(
  plugin: string,
  members: readonly MemberView[],
  own: string,
  hasOwn: boolean,
): EachTarget[] {
  const others = members.flatMap(({ member, self, state, services }): EachTarget[] => {
    const found = services.find((service) => service.plugin === plugin && service.placement === 'each');
    // One that has never run has no stream yet; one that is lost finds there what its bounds allow.
    return self || found === undefined ? [] : [{ member, needed: state !== 'lost' && found.fence !== null }];
  });
  return [{ member: own, needed: hasOwn }, ...others];
}

export function publishToEach(
  targets: readonly EachTarget[],
  publish: (member: string, answered: Published) => void,
  answered: Published,
): void {
  const outcomes = new Map<EachTarget, Parameters<Published>[0]>();
  for (const target of targets)
    publish(target.member, (outcome) => {
      outcomes.set(target, outcome);
      if (outcomes.size === targets.length) answered(combined(outcomes));
    });
}

/** Of a member that is lost or has never run the service. */
const bearable: ReadonlySet<string> = new Set(['queue_full', 'service_unavailable']);

function combined(outcomes: ReadonlyMap<EachTarget, Parameters<Published>[0]>): Parameters<Published>[0] {
  let duplicate: boolean | undefined;
  for (const [{ member, needed }, outcome] of outcomes)
    if (!(outcome instanceof HostError)) duplicate = (duplicate ?? true) && outcome.duplicate;
    else if (needed || !bearable.has(outcome.code))
      return new HostError(
        outcome.code,
        `The member ${member} does not have the event: ${outcome.message} Others may have it; with an idempotencyKey it can be published again without harm.`,
        { ...outcome.details, member },
      );
  const [first] = outcomes.values();
  if (duplicate !== undefined) return { duplicate };
  return first instanceof HostError
    ? first
    : new HostError('service_unavailable', 'No member has the service.', { reason: 'no member' });
}
