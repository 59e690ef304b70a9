// The daemon's own status as lines.
import type { DaemonStatus, Death } from '../../../protocol/operations/daemon.ts';
import { durationText, plural, timeText } from './quantity.ts';
import { type Piece, styled } from './terminal.ts';

export function daemonLines(daemon: DaemonStatus): Piece[][] {
  const { counts, memory, eventLoopDelayMs: delay } = daemon;
  // A daemon of an older version does not tell them.
  const mcp = daemon.mcp as DaemonStatus['mcp'] | undefined;
  const pool = daemon.threadPool as DaemonStatus['threadPool'] | undefined;
  const label = (text: string): Piece => styled('dim', text.padEnd(10));
  const dropped = Object.entries(daemon.dropped).filter(([, count]) => count > 0);
  return [
    [
      styled('bold', `nagaya ${daemon.version}`),
      `  pid ${String(daemon.pid)}, node ${daemon.node}, up ${durationText(daemon.uptimeMs)}`,
      daemon.state === 'running' ? '' : styled('yellow', '  shutting down'),
    ],
    ...guardianLines(daemon, label),
    [label('socket'), daemon.socket],
    [label('config'), daemon.config ?? 'none (defaults)'],
    [
      label('memory'),
      `rss ${memory.rssMb.toFixed(0)} MB, heap ${memory.heapUsedMb.toFixed(0)} MB; event loop delay p50 ${durationText(delay.p50)}, p99 ${durationText(delay.p99)}, max ${durationText(delay.max)}`,
    ],
    [
      label('runs'),
      `${plural(counts.plugins, 'plugin')}; ${String(counts.servicesRunning)} of ${plural(counts.services, 'service')} running`,
      counts.servicesFailed > 0 ? styled('red', `, ${String(counts.servicesFailed)} failed`) : '',
      `; ${plural(counts.tools, 'tool')}, ${plural(counts.toolCallsPending, 'call')} pending on ${plural(counts.toolThreads, 'thread')}`,
    ],
    ...(mcp?.running === true
      ? [
          [
            label('mcp'),
            `${plural(mcp.connections, 'client')} on the socket, ${plural(mcp.requests, 'request')} open, ${plural(mcp.calls, 'call')} pending; ${plural(mcp.servers, 'hosted server')}`,
          ],
        ]
      : []),
    ...daemon.notes.map((note) => [label('note'), styled('yellow', note)]),
    ...(counts.unkillable > 0
      ? [
          [
            label('warning'),
            styled('red', `${plural(counts.unkillable, 'thread')} could not be ended: see \`nagaya doctor\``),
          ],
        ]
      : []),
    ...(pool === undefined || pool.fullSince === null ? [] : [[label('warning'), styled('red', fullPoolText(pool))]]),
    ...(dropped.length > 0
      ? [[label('dropped'), styled('yellow', dropped.map(([what, count]) => `${what} ${String(count)}`).join(', '))]]
      : []),
  ];
}

function guardianLines({ guardian }: DaemonStatus, label: (text: string) => Piece): Piece[][] {
  if (guardian === null) return [];
  const last = guardian.deaths.at(-1);
  const head: Piece[] = [label('guardian'), `pid ${String(guardian.pid)}`];
  if (last === undefined) return [head];
  return [
    [
      ...head,
      '; ',
      styled(
        'yellow',
        `the daemon died ${plural(guardian.deaths.length, 'time')}, last at ${timeText(last.at)}: ${deathText(last)}`,
      ),
    ],
    [label('lost'), styled('yellow', lostText(last.lost))],
  ];
}

/** How it died, and by whose doing. */
export function deathText({ signal, exitCode, backAfterMs, culprit, where, suspects, message }: Death): string {
  const how = `${signal ?? `exit code ${String(exitCode)}`}${message === undefined ? '' : ` (${message})`}`;
  const back = backAfterMs === undefined ? '' : `; back after ${durationText(backAfterMs)}`;
  if (culprit !== undefined) return `${how}, by ${culprit}${where === undefined ? '' : ` in ${where}`}${back}`;
  return `${how}${suspects.length === 0 ? '' : `; suspects: ${suspects.join(', ')}`}${back}`;
}

/** Since when libuv's pool of threads is full, and whose doing that is likely to be. */
export function fullPoolText({ threads, fullSince, suspects }: DaemonStatus['threadPool']): string {
  const who = suspects
    .map(({ plugin, requests }) => (requests === null ? plugin : `${plugin} (${plural(requests, 'request')})`))
    .join(', ');
  return `libuv's pool of ${plural(threads, 'thread')} is full since ${fullSince === null ? 'now' : timeText(fullSince)}, and all thread cells wait for it${who === '' ? '' : `; it is likely filled by ${who}`}`;
}

export function lostText({ events, begun, calls, inputs, plugins }: Death['lost']): string {
  const may = begun > 0 ? ` (${String(begun)} of them may have been handled)` : '';
  return `${plural(events, 'event')}${may}, ${plural(calls, 'call')}, ${plural(inputs, 'input')}${plugins > 0 ? `, ${plural(plugins, 'plugin')} loaded at run time` : ''}`;
}
