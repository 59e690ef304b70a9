// A dead letter as a row of a table, and as the story of how it came to be one.
import type { AttemptStory, DeadLetter, DeadLetterReason } from '../../../protocol/dead-letter.ts';
import { causeLines } from '../failure.ts';
import { bytesText, timeText } from './quantity.ts';
import { type Piece, styled } from './terminal.ts';
import { idsText } from './event-ids.ts';

export const deadLetterHeadings: readonly string[] = [
  'ID',
  'DEAD SINCE',
  'EVENT',
  'TRIES',
  'CORRELATION ID',
  'LAST ERROR',
];

const reasonWords = {
  attempts: 'its attempts are used up',
  permanent: 'its handler says that another attempt would be of no use',
  payload_invalid: 'it does not fit its payload schema',
  event_invalid: 'the service of the member that had it declares no such event',
} as const satisfies Record<DeadLetterReason, string>;

export function deadLetterRow({ id, deadAt, ingress, kind, attempts, correlationId }: DeadLetter): Piece[] {
  const error = attempts.at(-1)?.error;
  return [
    id,
    timeText(deadAt),
    `${ingress}/${kind}`,
    String(attempts.length),
    correlationId,
    error === undefined ? '-' : styled('red', `${error.code}: ${error.message}`),
  ];
}

export function deadLetterStory(letter: DeadLetter): Piece[][] {
  const row = (label: string, ...pieces: Piece[]): Piece[] => [styled('dim', label.padEnd(12)), ...pieces];
  return [
    [styled('bold', letter.id)],
    row(
      'event',
      `${idsText(letter.eventId, letter.correlationId)}, ${letter.kind} through ${letter.ingress} from ${letter.source}, ${bytesText(letter.bytes)}`,
    ),
    row('created', timeText(letter.createdAt)),
    row('dead since', timeText(letter.deadAt)),
    row('reason', reasonWords[letter.reason ?? 'attempts']),
    ...(letter.replayOf === null ? [] : [row('replay of', letter.replayOf)]),
    ...letter.attempts.flatMap(attemptLines),
  ];
}

function attemptLines({ attempt, at, incarnation, error }: AttemptStory): Piece[][] {
  return [
    [
      styled('dim', `attempt ${String(attempt)}`.padEnd(12)),
      `${timeText(at)}, incarnation ${String(incarnation)}: `,
      styled('red', `${error.code}: ${error.message}`),
    ],
    ...(error.where === undefined ? [] : [[`    ${error.where}`]]),
    ...causeLines({ message: '', stack: error.stack }).slice(1),
  ];
}
