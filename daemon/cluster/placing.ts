// A service of a plugin that was loaded, at its place in the cluster.
import {
  type ClusterFault,
  type LeaseHolder,
  type MemberView,
  type ToCluster,
  clusterProtocol,
  partitionCount,
  unitOf,
} from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { Limits } from '../config/schema.ts';
import type { ClusterService, ClusterServiceDeps, InstanceService, Stored } from './cluster-service.ts';
import { PlacedService, inFlightOf } from './placed-service.ts';
import { SharedService } from './shared-service.ts';
import { eachTargets, publishToEach } from './to-each.ts';

/** What placed services need of the host. */
export interface PlacedHost {
  service(plugin: string): InstanceService;
  start(plugin: string): Promise<void>;
}

export interface PlacingDeps extends Pick<ClusterServiceDeps, 'changed' | 'fault' | 'draining' | 'tell' | 'post'> {
  readonly member: string;
  readonly limits: Limits;
  readonly host: PlacedHost;
  members(): readonly MemberView[];
  holders(): ReadonlyMap<string, LeaseHolder>;
  publish(event: { readonly plugin: string; readonly messageId: string; readonly body: string }, told: Stored): void;
}

/** Of `limits.leaseMs`: leases that come together are one change of what the instance works on. */
const settleShare = 0.05;
const mostSettleMs = 500;
/** Of all partitions together: with fewer of each, an instance that has them all waits for the server. */
const mostSharedInFlight = 1024;

/** Undefined for a service that is each member's own. */
export function placeService(
  plugin: string,
  { placement, queue }: ServiceSection,
  deps: PlacingDeps,
): ClusterService | undefined {
  if (placement === 'here') return undefined;
  const { member, limits, host } = deps;
  const publish = (unit: string, messageId: string, body: string, answered: Stored): void => {
    const fault: ClusterFault | null = deps.fault();
    if (fault === null) deps.publish({ plugin: unit, messageId, body }, answered);
    else answered(new HostError(fault.code, `${fault.message} The event was not accepted.`));
  };
  const common: ClusterServiceDeps = {
    plugin,
    service: () => host.service(plugin),
    start: () => host.start(plugin),
    post: (message: ToCluster) => deps.post(message),
    changed: () => deps.changed(),
    fault: () => deps.fault(),
    draining: () => deps.draining(),
    tell: (level, message, fields) => deps.tell(level, message, { plugin, member, ...fields }),
  };
  if (placement === 'shared') {
    return new SharedService({
      ...common,
      member,
      terms: {
        capacity: queue.capacity,
        maxBytes: queue.maxBytes,
        dedupeMs: limits.dedupeMs,
        // The instance has one queue for all of them.
        inFlight: Math.ceil(Math.min(mostSharedInFlight, queue.capacity) / partitionCount),
      },
      settleMs: Math.min(mostSettleMs, limits.leaseMs * settleShare),
      publish,
      holder: (unit) => deps.holders().get(unit),
      // An older one would not take what this one has had.
      sharers: () =>
        deps
          .members()
          .filter((one) => takesPartitions(one, plugin) && one.protocol >= clusterProtocol)
          .map((one) => one.member),
    });
  }
  const unit = placement === 'each' ? unitOf(plugin, member) : plugin;
  return new PlacedService({
    ...common,
    terms: {
      plugin: unit,
      placement,
      capacity: queue.capacity,
      maxBytes: queue.maxBytes,
      dedupeMs: limits.dedupeMs,
      inFlight: inFlightOf(queue.capacity),
    },
    publish: (messageId, body, answered) => {
      const fault = deps.fault();
      if (placement !== 'each' || fault !== null) return publish(unit, messageId, body, answered);
      publishToEach(
        eachTargets(plugin, { members: deps.members(), holders: deps.holders(), own: member }),
        (target, told) => publish(unitOf(plugin, target), messageId, body, told),
        answered,
      );
    },
    holder: () => deps.holders().get(unit),
  });
}

/** It lives, and is given partitions of the service. */
export const takesPartitions = ({ state, services }: MemberView, plugin: string): boolean =>
  state === 'active' && services.some((service) => service.plugin === plugin && service.partitions !== undefined);
