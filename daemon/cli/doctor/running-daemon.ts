// The daemon itself, where one answers: its version, and threads it could not end.
import { connect } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { DaemonStatus } from '../../../protocol/operations/daemon.ts';
import type { StoreStatus } from '../../../protocol/operations/store.ts';
import type { PluginSummary } from '../../../protocol/operations/plugin.ts';
import { packageVersion, pasteable } from '../install.ts';
import { deathText, fullPoolText, lostText } from '../views/daemon-view.ts';
import { durationText, plural, timeText } from '../views/quantity.ts';
import { type Finding, ok, warning } from './finding.ts';
import { type OtherDaemons, askOthers } from './other-daemons.ts';

const answerMs = 3000;

/** A busy host is felt in every answer long before this. */
const slowLoopMs = 250;

export interface AnsweringDaemon {
  readonly status: DaemonStatus;
  readonly plugins: readonly PluginSummary[];
  readonly store: StoreStatus | undefined;
  readonly others: OtherDaemons;
}

export async function askDaemon(socket: string): Promise<AnsweringDaemon | undefined> {
  try {
    const client = await connect({ socket, connectMs: answerMs, callMs: answerMs });
    try {
      const [status, { plugins }] = await Promise.all([
        client.call('daemon.status', {}),
        client.call('plugin.list', {}),
      ]);
      // A daemon of an older version has no such operation.
      const store = await client.call('store.status', {}).catch(() => undefined);
      return { status, plugins, store, others: await askOthers(client) };
    } finally {
      await client.close();
    }
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

function deathFindings({ guardian }: DaemonStatus, socket: string): Finding[] {
  const last = guardian?.deaths.at(-1);
  if (guardian === null || last === undefined) return [];
  const named = [
    ...new Set(guardian.deaths.flatMap(({ culprit, suspects }) => (culprit === undefined ? suspects : [culprit]))),
  ];
  const remedy =
    named.length === 0
      ? `See what ended it in the daemon's log: \`${pasteable(['logs'], socket)}\``
      : `Fix ${named.join(', ')} and \`${pasteable(['reload', named[0] ?? ''], socket)}\`, or give it \`"isolation": "process"\` in its manifest.`;
  return [
    warning(
      'guardian',
      `the daemon died ${plural(guardian.deaths.length, 'time')}, last at ${timeText(last.at)} of ${deathText(last)}; lost: ${lostText(last.lost)}`,
      remedy,
    ),
  ];
}

function poolFindings(daemon: DaemonStatus): Finding[] {
  // A daemon of an older version does not tell it.
  const pool = daemon.threadPool as DaemonStatus['threadPool'] | undefined;
  if (pool === undefined || pool.fullSince === null) return [];
  const remedy =
    'Give that plugin `"isolation": "process"` in its manifest, or start the daemon with a larger UV_THREADPOOL_SIZE.';
  return [warning('thread pool', fullPoolText(pool), remedy)];
}

export function daemonFindings(
  daemon: DaemonStatus | undefined,
  socket: string,
  plugins: readonly PluginSummary[] = [],
): Finding[] {
  if (daemon === undefined)
    return [ok('daemon', `none answers at ${socket}`, `Start one with \`${pasteable(['serve'], socket)}\``)];
  const restart = `\`${pasteable(['shutdown'], socket)}\` and start it again`;
  const findings = [
    ok('daemon', `nagaya ${daemon.version} with pid ${String(daemon.pid)}, up ${durationText(daemon.uptimeMs)}`),
  ];
  if (daemon.version !== packageVersion())
    findings.push(
      warning(
        'daemon version',
        `the daemon is nagaya ${daemon.version}, this command is ${packageVersion()}`,
        `Bring both to one version: ${restart}.`,
      ),
    );
  findings.push(...deathFindings(daemon, socket));
  const { unkillable, servicesFailed } = daemon.counts;
  if (unkillable > 0) {
    findings.push(
      warning(
        'threads',
        `${plural(unkillable, 'thread')} of plugins could not be ended and still take memory: they sit in native code or a blocking system call`,
        `Find the plugin with \`${pasteable(['status'], socket)}\`, then ${restart}.`,
      ),
    );
  }
  if (servicesFailed > 0)
    findings.push(
      warning(
        'services',
        `${plural(servicesFailed, 'service')} failed`,
        `See why with \`${pasteable(['status'], socket)}\`.`,
      ),
    );
  findings.push(...poolFindings(daemon));
  if (daemon.eventLoopDelayMs.p99 > slowLoopMs) {
    findings.push(
      warning(
        'host',
        `the daemon's event loop is late by ${durationText(daemon.eventLoopDelayMs.p99)} in one of a hundred turns`,
        'Give it a core of its own, or load fewer plugins.',
      ),
    );
  }
  for (const note of daemon.notes)
    findings.push(
      warning(
        'configuration',
        note,
        'Correct the id, load that plugin, or remove the override; then start the daemon again.',
      ),
    );
  for (const { id, notes } of plugins) {
    for (const note of notes) {
      const remedy = note.startsWith('env: ')
        ? `Set it where the daemon is started, then ${restart}; or take it out of "env" in plugin.json.`
        : 'Set "isolation" to "process" in plugin.json if the grants must hold exactly.';
      findings.push(warning('plugin', `${id}: ${note}`, remedy));
    }
  }
  return findings;
}

/** Nothing where the store works, or the daemon is of a version that has none. */
export function storeFindings(store: StoreStatus | undefined, socket: string): Finding[] {
  if (store === undefined) return [];
  const lost = store.repairs
    .filter(({ kind }) => kind === 'put_aside' || kind === 'journal_lost')
    .map(({ message }) =>
      warning('store', message, `See what is left with \`${pasteable(['store', 'status'], socket)}\`.`),
    );
  if (store.fault === null)
    return [...lost, ok('store', store.state === 'unused' ? 'nothing is stored yet' : `${store.folder} works`)];
  return [
    ...lost,
    warning(
      'store',
      `${store.fault.message} Nothing is stored since ${timeText(store.fault.since)}.`,
      `Free space on that file system or correct its permissions, then see \`${pasteable(['store', 'status'], socket)}\`.`,
    ),
  ];
}
