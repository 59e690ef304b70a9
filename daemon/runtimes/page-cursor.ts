// Where a list over several runtimes goes on: for each of them the last worker that was given. Opaque to callers, and
// read back as anybody could have written it.
import * as z from 'zod';
import { HostError } from '../../protocol/errors.ts';

const places = z.record(z.string().max(128), z.string().max(128));
export type PagePositions = z.output<typeof places>;

export const encodePlaces = (given: PagePositions): string => Buffer.from(JSON.stringify(given)).toString('base64url');

export function decodePlaces(cursor: string | undefined): PagePositions {
  if (cursor === undefined) return {};
  try {
    return places.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    const message = 'is not the `next` of a page before';
    throw new HostError('invalid_request', `after ${message}.`, { issues: [{ path: 'after', message }] });
  }
}
