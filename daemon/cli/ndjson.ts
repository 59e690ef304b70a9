// Many JSON values, one a line, from a file or standard input, in batches: what is there goes out at once, and a
// source that pauses does not hold back what it has already given.
import { LineCutter } from '../../protocol/framing.ts';
import { usageFailure } from './failure.ts';

export interface NumberedLine {
  readonly line: number;
  readonly text: string;
}

const maxLineBytes = 64 * 1024 * 1024;

export interface BatchBounds {
  readonly count: number;
  readonly bytes: number;
}

/** Lines in order, at most `count` and about `bytes` together; empty lines are skipped. */
export async function* lineBatches(source: AsyncIterable<Buffer>, bounds: BatchBounds): AsyncGenerator<NumberedLine[]> {
  let number = 0;
  let waiting: NumberedLine[] = [];
  let tooLongAt: number | undefined;
  const take = (text: string): void => {
    number += 1;
    if (text.trim() !== '') waiting.push({ line: number, text });
  };
  const cutter = new LineCutter(maxLineBytes, {
    line: take,
    tooLong: () => {
      tooLongAt ??= number + 1;
    },
  });
  for await (const chunk of withFinalNewline(source)) {
    cutter.push(chunk);
    if (tooLongAt !== undefined) throw usageFailure(`Line ${String(tooLongAt)} is longer than ${String(maxLineBytes)} bytes.`, 'Give one JSON value a line.');
    while (waiting.length > 0) {
      const size = batchSize(waiting, bounds);
      yield waiting.slice(0, size);
      waiting = waiting.slice(size);
    }
  }
}

function batchSize(lines: readonly NumberedLine[], bounds: BatchBounds): number {
  let bytes = 0;
  for (const [index, { text }] of lines.entries()) {
    bytes += text.length;
    if (index > 0 && (index >= bounds.count || bytes > bounds.bytes)) return index;
  }
  return lines.length;
}

/** The last line counts also where its end is missing. */
async function* withFinalNewline(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* source;
  yield Buffer.from('\n');
}
