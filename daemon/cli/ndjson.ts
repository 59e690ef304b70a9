// Many JSON values, one a line, from a file or standard input, in batches: what is there goes out at once, and a
// source that pauses does not hold back what it has already given.
import { StringDecoder } from 'node:string_decoder';
import { TextLines } from '../../protocol/text-lines.ts';
import { usageFailure } from './failure.ts';

export interface NumberedLine {
  /** As an editor counts it. */
  readonly line: number;
  readonly text: string;
}

const maxLineLength = 64 * 1024 * 1024;

export interface BatchBounds {
  readonly count: number;
  /** Of characters, and never so few that one line does not fit. */
  readonly length: number;
}

/** Lines in order, at most `count` and about `length` together; empty lines are counted and skipped. */
export async function* lineBatches(source: AsyncIterable<Buffer>, bounds: BatchBounds): AsyncGenerator<NumberedLine[]> {
  const decoder = new StringDecoder('utf8');
  let number = 0;
  const lines = new TextLines();
  const numbered = (texts: readonly string[]): NumberedLine[] =>
    texts.map((text) => ({ line: (number += 1), text })).filter(({ text }) => text.trim() !== '');
  for await (const chunk of source) {
    yield* batches(numbered(lines.push(decoder.write(chunk))), bounds);
    if (lines.partialLength > maxLineLength)
      throw usageFailure(
        `Line ${String(number + 1)} is longer than ${String(maxLineLength)} characters.`,
        'Give one JSON value a line.',
      );
  }
  yield* batches(numbered([lines.takePartial() + decoder.end()]), bounds);
}

function* batches(lines: readonly NumberedLine[], bounds: BatchBounds): Generator<NumberedLine[]> {
  let batch: NumberedLine[] = [];
  let length = 0;
  for (const line of lines) {
    if (batch.length > 0 && (batch.length >= bounds.count || length + line.text.length > bounds.length)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(line);
    length += line.text.length;
  }
  if (batch.length > 0) yield batch;
}
