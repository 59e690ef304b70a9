// JSON that a person gives: as an argument, or `-` for standard input. What is wrong with it is a fault of usage,
// said with the quoting that would have worked.
import { usageFailure } from './failure.ts';

/** Far above any bound of a daemon; what is larger is refused here before it fills memory. */
const maxInputBytes = 64 * 1024 * 1024;

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw usageFailure(
      `The ${what} is not JSON: ${reason}.`,
      `Give JSON in single quotes, such as '{"name":"Ada"}'; a text needs its own quotes: '"hello"'.`,
    );
  }
}

export async function readAll(stream: AsyncIterable<Buffer>, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxInputBytes)
      throw usageFailure(
        `The ${what} is larger than ${String(maxInputBytes)} bytes.`,
        'Send less, or many events one a line with `nagaya publish`.',
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The value of a JSON argument; undefined where none was given. */
export async function jsonArgument(argument: string | undefined, what: string): Promise<unknown> {
  if (argument === undefined) return undefined;
  return parseJson(argument === '-' ? await readAll(process.stdin, what) : argument, what);
}
