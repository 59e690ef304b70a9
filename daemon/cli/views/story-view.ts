// The story of one event in plain words and in order: what the timeline tells of it, and how each attempt ended.
import type { OperationResult } from '../../../protocol/operations.ts';
import type { EventRecord, OpenEvent, SentCommandView, TimelineEntry } from '../../../protocol/operations/telemetry.ts';
import { durationText, plural, timeText } from './quantity.ts';
import { type Piece, type Style, styled } from './terminal.ts';

type Story = OperationResult<'event.explain'>;

interface Told {
  readonly at: string;
  readonly pieces: readonly Piece[];
}

const levelStyles: Readonly<Record<TimelineEntry['level'], Style>> = { info: 'cyan', warn: 'yellow', error: 'red' };
const outcomeWords = {
  handled: 'was handled',
  failed: 'failed, and its caller was told why',
  deadLettered: 'became a dead letter',
  discarded: 'was discarded',
  timedOut: 'ran past its deadline',
  crashed: 'was being handled when the cell ended',
  threw: 'was not handled: its handler threw or rejected',
} as const satisfies Record<EventRecord['outcome'], string>;
const line = (at: string, ...pieces: Piece[]): Piece[] => [styled('dim', `${timeText(at)}  `), ...pieces];

/** Of one event, or of those that share a correlation id, from the acceptance to where it is now. */
export function eventStoryLines(story: Story): Piece[][] {
  const accepted = new Map<string, EventRecord | OpenEvent>();
  for (const event of [...story.events, ...story.open])
    if (!accepted.has(event.eventId)) accepted.set(event.eventId, event);
  const named = (eventId: unknown): string => (accepted.size > 1 && typeof eventId === 'string' ? `${eventId}: ` : '');
  const told: Told[] = [
    ...[...accepted.values()].map((event) => ({
      at: event.acceptedAt,
      pieces: [`${named(event.eventId)}${receivedText(event)}accepted and queued`],
    })),
    ...story.events.map((record) => ({ at: record.at, pieces: [`${named(record.eventId)}${attemptText(record)}`] })),
    ...story.entries.map((entry) => toldEntry(entry, named(entry.eventId ?? entry.data?.['eventId']))),
    ...story.commands.flatMap((command) =>
      command.at === null ? [] : [{ at: command.at, pieces: [`${named(command.eventId)}${settledText(command)}`] }],
    ),
  ];
  const lines = inOrder(told).map(({ at, pieces }) => line(at, ...pieces));
  for (const open of story.open) {
    lines.push([styled('bold', 'now  '), `${named(open.eventId)}${whereaboutsText(open)}`]);
  }
  for (const command of story.commands)
    if (command.at === null) lines.push([styled('bold', 'now  '), `${named(command.eventId)}${pendingText(command)}`]);
  for (const id of story.deadLetters) lines.push([styled('bold', 'now  '), `it is the dead letter ${id}`]);
  return lines;
}

const receivedText = ({ source, ingress, kind }: EventRecord | OpenEvent): string =>
  source === undefined ? '' : `received from ${source} through ${ingress ?? ''} as ${kind ?? ''}, `;

function settledText({ id, output, state, attempts, error }: SentCommandView): string {
  const which = `its command ${id.slice(id.lastIndexOf('/') + 1)} to the output ${output}`;
  const tries = attempts === 1 ? '' : ` at attempt ${String(attempts)}`;
  if (state === 'sent') return `${which} was delivered${tries}`;
  return `${which} became a dead letter${tries}${error === null ? '' : `: ${error.code}: ${error.message}`}`;
}

function pendingText({ id, output, attempts, nextAt, error }: SentCommandView): string {
  const which = `its command ${id.slice(id.lastIndexOf('/') + 1)} to the output ${output} is not delivered yet`;
  if (attempts === 0) return which;
  const next = nextAt === null ? '' : `, and is tried again at ${timeText(nextAt)}`;
  return `${which}: ${plural(attempts, 'attempt')}${next}${error === null ? '' : ` (${error.code}: ${error.message})`}`;
}

function whereaboutsText({ state, attempt, ahead, runningMs, retryAt }: OpenEvent): string {
  if (state === 'inFlight') return `attempt ${String(attempt)} is being handled, for ${durationText(runningMs ?? 0)}`;
  if (retryAt !== null) return `it waits until ${timeText(retryAt)} for attempt ${String(attempt)}`;
  return `it waits for attempt ${String(attempt)}, with ${plural(ahead, 'event')} before it`;
}

function attemptText({ outcome, attempt, incarnation, sinceAcceptedMs, handlerMs }: EventRecord): string {
  const inHandler = handlerMs === null ? '' : `, ${durationText(handlerMs)} in the handler`;
  const where = outcome === 'discarded' ? '' : ` on attempt ${String(attempt)}, in incarnation ${String(incarnation)}`;
  return `it ${outcomeWords[outcome]}${where}${inHandler}; ${durationText(sinceAcceptedMs)} after it was accepted`;
}

function toldEntry({ at, level, event, message, incarnation }: TimelineEntry, eventName = ''): Told {
  return {
    at,
    pieces: [styled(levelStyles[level], event), styled('dim', ` #${String(incarnation)}`), `  ${eventName}${message}`],
  };
}

/** Of the same moment, what stands first in the list is told first. */
const inOrder = (told: readonly Told[]): Told[] =>
  [...told].sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
