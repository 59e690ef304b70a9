// An event of the live feed in words. What its data holds depends on the topic, and newer daemons may put in more:
// what is not known is shown as JSON.
import type { FeedEvent } from '../../../protocol/operations/telemetry.ts';
import { timeText } from './quantity.ts';
import { type Piece, type Style, styled } from './terminal.ts';

const topicStyles: Readonly<Record<FeedEvent['topic'], Style>> = {
  plugin: 'cyan',
  lifecycle: 'cyan',
  failure: 'red',
  counters: 'dim',
  log: 'dim',
};

export function feedEventPieces({ at, plugin, topic, data }: FeedEvent): Piece[] {
  return [
    styled('dim', `${timeText(at)} `),
    styled('bold', plugin),
    ' ',
    styled(topicStyles[topic], topic),
    ` ${wordsOf(topic, data)}`,
  ];
}

function wordsOf(topic: FeedEvent['topic'], data: FeedEvent['data']): string {
  const { from, to, cause, code, message, counters, queue } = data;
  if (topic === 'lifecycle' && typeof from === 'string' && typeof to === 'string')
    return `${from} → ${to}${typeof cause === 'string' ? ` (${cause})` : ''}`;
  if (topic === 'failure' && typeof code === 'string' && typeof message === 'string') return `${code}: ${message}`;
  if (topic === 'counters' && isObject(counters) && isObject(queue)) {
    const counts = Object.entries(counters).filter(([, count]) => typeof count === 'number' && count > 0);
    return [
      `queue ${String(queue['depth'])}/${String(queue['capacity'])}`,
      ...counts.map(([name, count]) => `${name} ${String(count)}`),
    ].join(', ');
  }
  return JSON.stringify(data);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
