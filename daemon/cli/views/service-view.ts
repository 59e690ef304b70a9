// A service's status as a row of a table and as lines in full.
import type { Lifecycle, PlacementStatus, ServiceStatus } from '../../../protocol/status.ts';
import { causeLines } from '../failure.ts';
import { agoText, bytesText, durationText, percentText, plural, timeText } from './quantity.ts';
import { type Piece, type Style, styled } from './terminal.ts';
import { idsText } from './event-ids.ts';

const lifecycleStyles: Record<Lifecycle, Style> = {
  ready: 'dim',
  starting: 'cyan',
  running: 'green',
  stopping: 'yellow',
  stopped: 'dim',
  failed: 'red',
};

export const lifecyclePiece = (lifecycle: Lifecycle): Piece => styled(lifecycleStyles[lifecycle], lifecycle);

/** With what the supervisor is about to do, or has given up to do. */
function statePiece({ lifecycle, restart }: ServiceStatus): Piece {
  if (lifecycle !== 'failed' || !restart) return lifecyclePiece(lifecycle);
  if (!restart.pending) return styled('red', 'failed, given up');
  return styled(
    'yellow',
    `failed, restart ${String(restart.attempt)}${restart.nextAt === null ? '' : ` at ${timeText(restart.nextAt)}`}`,
  );
}

/** Events that nobody handles any more: they wait for a person. */
const deadPiece = ({ deadLetters }: ServiceStatus): Piece =>
  deadLetters.count > 0 ? styled('yellow', String(deadLetters.count)) : '0';

export function lifecycleLine(status: ServiceStatus): Piece[] {
  return [`${status.pluginId} is `, lifecyclePiece(status.lifecycle), ` (incarnation ${String(status.incarnation)})`];
}

/** What became of the events that had not begun. */
export function keptText(
  { kept, discarded }: { readonly kept: number; readonly discarded: number },
  keptFor: 'next start' | 'new incarnation',
): string {
  if (kept === 0 && discarded === 0) return 'no event was waiting';
  const keptPart = `${plural(kept, 'event')} kept for the ${keptFor}`;
  return `${keptPart}, ${String(discarded)} discarded`;
}

/** The same where nothing goes on by itself: at the end of the daemon, or of a plugin. */
export function goneText({ kept, discarded }: { readonly kept: number; readonly discarded: number }): string {
  const left =
    discarded === 0
      ? 'no event was discarded'
      : `${plural(discarded, 'event')} that waited ${discarded === 1 ? 'was' : 'were'} discarded`;
  return kept === 0 ? left : `${plural(kept, 'event')} ${kept === 1 ? 'is' : 'are'} kept on disk, ${left}`;
}

const depthPiece = ({ queue }: ServiceStatus): Piece => {
  const text = `${String(queue.depth)}/${String(queue.capacity)}`;
  return queue.depth >= queue.capacity ? styled('red', text) : text;
};

const lastErrorPiece = ({ lastError }: ServiceStatus): Piece =>
  lastError === null ? '-' : styled('red', `${agoText(lastError.at)} ${lastError.code}: ${lastError.message}`);

export const serviceHeadings: readonly string[] = [
  'SERVICE',
  'STATE',
  'INC',
  'QUEUE',
  'HANDLED',
  'FAILED',
  'DEAD',
  'REJECTED',
  'P99',
  'LAST ERROR',
];

export function serviceRow(status: ServiceStatus): Piece[] {
  const { counters, latencyMs } = status;
  return [
    status.pluginId,
    statePiece(status),
    String(status.incarnation),
    depthPiece(status),
    String(counters.handled),
    String(counters.failed),
    deadPiece(status),
    String(rejectedCount(status)),
    latencyMs.count === 0 ? '-' : durationText(latencyMs.p99),
    lastErrorPiece(status),
  ];
}

export const rejectedCount = ({ counters: { rejected } }: ServiceStatus): number =>
  rejected.queueFull + rejected.invalidEvent + rejected.notAccepting;

/** What changed since the last look, as rates: the row of the live view. */
export const liveHeadings: readonly string[] = [
  'SERVICE',
  'STATE',
  'INC',
  'QUEUE',
  'IN',
  'OUT',
  'FAILED',
  'DEAD',
  'BUSY',
  'LAST ERROR',
];

export function liveRow(
  status: ServiceStatus,
  rates: { readonly enqueued: string; readonly settled: string },
): Piece[] {
  return [
    status.pluginId,
    statePiece(status),
    String(status.incarnation),
    depthPiece(status),
    rates.enqueued,
    rates.settled,
    String(status.counters.failed),
    deadPiece(status),
    status.cell === null ? '-' : `${String(Math.round(status.cell.utilization * 100))}%`,
    lastErrorPiece(status),
  ];
}

type Section = (status: ServiceStatus) => Piece[][];

const row = (label: string, ...pieces: Piece[]): Piece[] => [styled('dim', label.padEnd(13)), ...pieces];

const latencyText = ({ p50, p90, p99, max, count }: ServiceStatus['latencyMs']): string =>
  count === 0
    ? 'none yet'
    : `p50 ${durationText(p50)}, p90 ${durationText(p90)}, p99 ${durationText(p99)}, max ${durationText(max)} (${String(count)})`;

const headSection: Section = (status) => [
  [
    styled('bold', status.pluginId),
    '  ',
    lifecyclePiece(status.lifecycle),
    `  incarnation ${String(status.incarnation)}, ${status.isolation}${status.startedAt === null ? '' : `, up ${durationText(status.uptimeMs)}`}`,
  ],
];

function sharedRows(partitions: NonNullable<PlacementStatus['partitions']>, waits: string | null): Piece[][] {
  const members = [...new Set(partitions.map(({ member }) => member))].sort();
  const held = members.map(
    (member) =>
      `${member ?? 'nobody'} has ${partitions.flatMap((one) => (one.member === member ? [one.partition] : [])).join(' ')}`,
  );
  return [row('placement', `shared; of its partitions, ${held.join('; ')}`)].concat(
    waits === null ? [] : [row('', styled('yellow', `not here: ${waits}`))],
  );
}

const placementSection: Section = ({ placement: placed }) => {
  if (placed === null) return [];
  const { placement, member, fence, waits, partitions } = placed;
  if (partitions !== undefined) return sharedRows(partitions, waits);
  const held = member === null ? 'no member has it' : `the member ${member} has it, under ${String(fence)}`;
  return [row('placement', `${placement}; ${waits === null ? `runs here, under ${String(fence)}` : held}`)].concat(
    waits === null ? [] : [row('', styled('yellow', `not here: ${waits}`))],
  );
};

const queueSection: Section = ({ queue, inFlight, retrying }) => [
  row(
    'queue',
    `${String(queue.depth)} of ${String(queue.capacity)}, ${bytesText(queue.bytes)} of ${bytesText(queue.maxBytes)}; most ever ${String(queue.highWater)}${queue.depth === 0 ? '' : `, the oldest has waited ${durationText(queue.oldestAgeMs)}`}`,
  ),
  ...(retrying.count === 0
    ? []
    : [
        row(
          'retrying',
          styled(
            'yellow',
            `${plural(retrying.count, 'event')} of these ${retrying.count === 1 ? 'waits' : 'wait'} for another attempt${retrying.nextAt === null ? '' : `, the first until ${timeText(retrying.nextAt)}`}`,
          ),
        ),
      ]),
  row(
    'in flight',
    inFlight === null
      ? 'nothing'
      : `${idsText(inFlight.eventId, inFlight.correlationId)}, attempt ${String(inFlight.attempt)}, for ${durationText(inFlight.sinceMs)}`,
  ),
];

const countersSection: Section = ({ counters, latencyMs, handleMs }) => {
  const { rejected, restarts, ...events } = counters;
  return [
    row(
      'events',
      Object.entries(events)
        .map(([name, count]) => `${name} ${String(count)}`)
        .join(', '),
    ),
    row(
      'rejected',
      Object.entries(rejected)
        .map(([name, count]) => `${name} ${String(count)}`)
        .join(', '),
    ),
    row('restarts', String(restarts)),
    row('latency', latencyText(latencyMs)),
    row('handler', latencyText(handleMs)),
  ];
};

const cellSection: Section = ({ cell, log }) => [
  ...(cell === null
    ? []
    : [
        row(
          'cell',
          `${cell.threadId === undefined ? `pid ${String(cell.pid ?? '?')}` : `thread ${String(cell.threadId)}`}, heap ${cell.heapUsedMb.toFixed(1)} MB, busy ${String(Math.round(cell.utilization * 100))}%`,
          cell.unkillable ? styled('red', '  cannot be ended') : '',
        ),
      ]),
  row(
    'log',
    plural(log.lines, 'line'),
    log.droppedLines > 0
      ? styled('yellow', `, ${String(log.droppedLines)} dropped (${bytesText(log.droppedBytes)})`)
      : '',
  ),
];

const shareSection: Section = ({ cpuShare }) => {
  if (cpuShare === null) return [];
  const { share, usedShare, state, pausedMs } = cpuShare;
  const paused = pausedMs === 0 ? '' : `, paused for ${durationText(pausedMs)} in all`;
  const text = `${percentText(usedShare)} of one processor used lately, ${percentText(share)} allowed (limits.cpuShare)${paused}`;
  const states = {
    within: '',
    lowered: '; its priority is lowered',
    paused: '; it is paused between events until its share has caught up',
  };
  return [row('processor', text, state === 'within' ? '' : styled('yellow', states[state]))];
};

/** What the supervisor does about a failure. */
const restartSection: Section = ({ pluginId, restart, diagnostics, unkillable, malformedMessages }) => {
  const gaveUp =
    diagnostics.findLast(({ event }) => event === 'gave_up')?.message ??
    `The supervisor gave up. Start it again with nagaya start ${pluginId}.`;
  return [
    ...(restart?.pending === true
      ? [
          row(
            'restart',
            styled(
              'yellow',
              `pending, attempt ${String(restart.attempt)}${restart.nextAt === null ? '' : ` at ${timeText(restart.nextAt)}`}`,
            ),
          ),
        ]
      : []),
    ...(restart?.pending === false ? [row('restart', styled('red', gaveUp))] : []),
    ...(unkillable > 0
      ? [
          row(
            'unkillable',
            styled(
              'red',
              `${String(unkillable)} of its cells could not be ended and still take memory: see \`nagaya doctor\``,
            ),
          ),
        ]
      : []),
    ...(malformedMessages > 0
      ? [
          row(
            'messages',
            styled(
              'red',
              `${plural(malformedMessages, 'message')} of its cells could not be read and ${malformedMessages === 1 ? 'was' : 'were'} dropped`,
            ),
          ),
        ]
      : []),
  ];
};

const deadLettersSection: Section = ({ pluginId, deadLetters: { count, capacity, evicted } }) =>
  count === 0 && evicted === 0
    ? []
    : [
        row(
          'dead letters',
          styled(
            'yellow',
            `${String(count)} of ${String(capacity)}${evicted > 0 ? `, ${String(evicted)} older ones pushed out` : ''}`,
          ),
          `: see \`nagaya dead-letters list ${pluginId}\``,
        ),
      ];

const reportedSection: Section = ({ reported }) => [
  ...(reported === null
    ? []
    : [
        row(
          'reported',
          JSON.stringify(reported.value) ?? 'nothing',
          reported.stale
            ? styled(
                'yellow',
                `  (stale, from ${timeText(reported.at)}${reported.error === undefined ? '' : `: ${reported.error}`})`,
              )
            : '',
        ),
      ]),
];

const errorSection: Section = ({ lastError }) =>
  lastError === null
    ? []
    : [
        row(
          'last error',
          styled('red', `${lastError.code}: ${lastError.message}`),
          `  ${agoText(lastError.at)}, ${timeText(lastError.at)}${idsText(lastError.eventId, lastError.correlationId, ' ')}`,
        ),
        ...causeLines({ message: '', stack: lastError.stack }).slice(1),
      ];

const levelStyles: Record<ServiceStatus['diagnostics'][number]['level'], Style> = {
  info: 'dim',
  warn: 'yellow',
  error: 'red',
};

const notesSection: Section = ({ notes }) => notes.map((note) => row('note', styled('yellow', note)));

const diagnosticsSection: Section = ({ diagnostics }) =>
  diagnostics.length === 0
    ? []
    : [
        [],
        [styled('dim', 'diagnostics, the newest last')],
        ...diagnostics.map((entry): Piece[] => [
          `  ${timeText(entry.at)} #${String(entry.incarnation)} `,
          styled(levelStyles[entry.level], entry.event),
          `  ${entry.message}`,
        ]),
      ];

export function serviceDetail(status: ServiceStatus): Piece[][] {
  return [
    headSection,
    restartSection,
    placementSection,
    queueSection,
    countersSection,
    deadLettersSection,
    cellSection,
    shareSection,
    reportedSection,
    errorSection,
    notesSection,
    diagnosticsSection,
  ].flatMap((section) => section(status));
}
