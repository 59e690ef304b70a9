// The daemons and the server that this daemon speaks to over the network: which of them do not answer, and why.
import type { Client } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { ClusterStatus } from '../../../protocol/operations/cluster.ts';
import { pasteable } from '../install.ts';
import { remedyOf } from '../remedy.ts';
import { plural } from '../views/quantity.ts';
import { type Finding, ok, warning } from './finding.ts';

export interface OtherDaemons {
  /** By the id of the runtime, why it does not answer; null where it does. */
  readonly runtimes: ReadonlyMap<string, HostError | null>;
  /** Absent where the daemon is no member of a cluster. */
  readonly cluster?: ClusterStatus | undefined;
}

/** What the daemon does not know, such as an operation of a newer version, is left out. */
export async function askOthers(client: Client): Promise<OtherDaemons> {
  const [runtimes, cluster] = await Promise.all([
    askRuntimes(client).catch(() => new Map<string, HostError | null>()),
    client.call('cluster.status', {}).catch(() => undefined),
  ]);
  return { runtimes, cluster };
}

async function askRuntimes(client: Client): Promise<Map<string, HostError | null>> {
  const { runtimes } = await client.call('runtime.list', {});
  const remote = runtimes.filter(({ kind }) => kind === 'remote');
  return new Map(
    await Promise.all(
      remote.map(async ({ runtimeId, status }): Promise<[string, HostError | null]> => [
        runtimeId,
        status === 'unavailable' ? await whyUnavailable(client, runtimeId) : null,
      ]),
    ),
  );
}

/** A list tells the code alone; who asks for one runtime is told the reason. */
async function whyUnavailable(client: Client, runtimeId: string): Promise<HostError | null> {
  try {
    await client.call('runtime.workers', { runtimeId, limit: 1 });
    return null;
  } catch (thrown) {
    if (thrown instanceof HostError) return thrown;
    throw thrown;
  }
}

export function otherDaemonFindings({ runtimes, cluster }: OtherDaemons, socket: string): Finding[] {
  const unavailable = [...runtimes].flatMap(([runtimeId, error]) => (error === null ? [] : [{ runtimeId, error }]));
  return [
    ...(runtimes.size > unavailable.length
      ? [ok('remote runtimes', `${plural(runtimes.size - unavailable.length, 'runtime')} of other daemons answer`)]
      : []),
    ...unavailable.map(({ runtimeId, error }) =>
      warning('remote runtimes', error.message, remedyOf(error, { runtime: runtimeId })),
    ),
    ...(cluster === undefined ? [] : clusterFindings(cluster, socket)),
  ];
}

function clusterFindings({ name, member, members, connected, fault }: ClusterStatus, socket: string): Finding[] {
  if (!connected)
    return fault === null
      ? []
      : [warning('cluster', fault.message, remedyOf(new HostError(fault.code, fault.message, {})))];
  const lost = members.filter(({ state }) => state === 'lost').map((each) => each.member);
  const versions = new Set(members.map(({ version }) => version));
  const status = `\`${pasteable(['cluster', 'members'], socket)}\``;
  return [
    ok('cluster', `member ${member} of ${name}, with ${plural(members.length, 'member')}`),
    ...(lost.length === 0
      ? []
      : [warning('cluster', `nothing is heard of ${lost.join(', ')}`, `Look at these machines, and at ${status}.`)]),
    ...(versions.size < 2
      ? []
      : [
          warning(
            'cluster',
            `the members are of the versions ${[...versions].sort().join(', ')}`,
            `Finish the upgrade, one member after the other; see ${status}.`,
          ),
        ]),
  ];
}
