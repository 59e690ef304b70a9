// Calls about a service that the members of a cluster share: its events go where their partition is, and its dead
// letters are one list over all members. What another member asks is answered here.
import type { EncodedJson } from '../../protocol/json-rpc.ts';
import type { OperationName, OperationParams, OperationResult } from '../../protocol/operations.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Caller, Handlers } from './caller.ts';
import { Deferred } from './deferred.ts';
import { MovingDeliveries } from './moving-deliveries.ts';
import { SeenLetters } from './seen-letters.ts';
import { SharedLetters } from './shared-letters.ts';

export interface AcrossPartitions {
  readonly cluster: Cluster;
  readonly limits: { readonly clusterPending: number; readonly deliverMs: number };
  /** What this member answers by itself. */
  readonly own: Handlers;
  /** What goes to the member that can answer it. */
  readonly across: Handlers;
}

export function acrossPartitions({ cluster, limits, own, across }: AcrossPartitions): Handlers {
  const seen = new SeenLetters();
  const deliveries = new MovingDeliveries({ clock: cluster.clock, most: limits.clusterPending });

  /** Undefined where this member answers by itself. */
  const lettersOf = (plugin: string, caller: Caller): SharedLetters | undefined => {
    if (caller.member !== undefined) return undefined;
    const held = cluster.heldPartitions(plugin);
    if (held.size === 0) return undefined;
    const ask = async <Name extends OperationName>(
      member: string,
      operation: Name,
      params: OperationParams<Name>,
    ): Promise<OperationResult<Name>> => {
      if (member === cluster.member) return (await own[operation](params, caller)) as OperationResult<Name>;
      const asked = { member, operation, params: JSON.stringify(params), signal: caller.signal };
      return (await cluster.askValue(asked)) as OperationResult<Name>;
    };
    return new SharedLetters({
      members: [...held.keys()],
      ask,
      seen,
      spread: `${plugin} ${JSON.stringify([...held])}`,
    });
  };

  return {
    ...across,
    'ingress.deliver': (params, caller) => {
      const { plugin, timeoutMs = limits.deliverMs } = params;
      if (caller.member !== undefined || !cluster.isShared(plugin)) return across['ingress.deliver'](params, caller);
      return Deferred.of(
        deliveries.deliver<OperationResult<'ingress.deliver'> | EncodedJson>({
          plugin,
          timeoutMs,
          signal: caller.signal,
          isShared: () => cluster.isShared(plugin),
          deliver: (leftMs) => across['ingress.deliver']({ ...params, timeoutMs: leftMs }, caller),
        }),
        { holds: false },
      );
    },
    'deadLetter.list': (params, caller) =>
      lettersOf(params.plugin, caller)?.list(params) ?? across['deadLetter.list'](params, caller),
    'deadLetter.show': (params, caller) =>
      lettersOf(params.plugin, caller)?.show(params) ?? across['deadLetter.show'](params, caller),
    'deadLetter.replay': (params, caller) => {
      // A payload is for one letter; what is wrong with another call is told by who answers alone.
      const isSound = params.payload === undefined || params.ids?.length === 1;
      const letters = isSound ? lettersOf(params.plugin, caller) : undefined;
      return letters?.replay(params) ?? across['deadLetter.replay'](params, caller);
    },
    'deadLetter.discard': (params, caller) =>
      lettersOf(params.plugin, caller)?.discard(params) ?? across['deadLetter.discard'](params, caller),
  };
}
