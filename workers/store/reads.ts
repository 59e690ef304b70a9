// Answers the short reads: one value, a page of a range, a number of entries, what the tables hold.
import type { Half, RangePage, RangeRead, Read, ReadResult, StoreUsage } from '../../protocol/store/messages.ts';
import type { StoreEngine } from './engine.ts';
import { unseal } from './sealed-value.ts';
import { usedBytes } from './store-room.ts';

export type Halves = Readonly<Record<Half, StoreEngine>>;

type ShortRead = Exclude<Read, { readonly kind: 'backup' | 'verify' }>;

export function answerRead(read: ShortRead, halves: Halves): ReadResult {
  if (read.kind === 'usage') return usageOf(halves);
  const engine = halves[read.half];
  if (read.kind === 'count') return engine.count(read.table, read);
  if (read.kind === 'range') return page(engine, read);
  const sealed = engine.get(read.table, read.key);
  if (sealed === undefined) return undefined;
  const value = unseal(read.key, sealed);
  if (value === undefined)
    throw Object.assign(new Error(`the value of ${read.key} in ${read.table} is not what was written`), {
      code: damagedValue,
    });
  return value;
}

/** The engine's own code for a page that is not what it should be. */
const damagedValue = -30_796;

function page(engine: StoreEngine, { table, from, to, reverse, limit, maxBytes }: RangeRead): RangePage {
  const entries: { key: string; value: Uint8Array }[] = [];
  const damaged: string[] = [];
  let bytes = 0;
  for (const { key, value: sealed } of engine.range(table, { from, to, reverse })) {
    // The first is always given, however large it is: whoever reads gets on.
    if (entries.length >= limit || (bytes + sealed.byteLength > maxBytes && entries.length > 0))
      return { entries, more: true, damaged };
    const value = unseal(key, sealed);
    bytes += sealed.byteLength;
    if (value === undefined) damaged.push(key);
    else entries.push({ key, value });
  }
  return { entries, more: false, damaged };
}

function usageOf(halves: Halves): StoreUsage {
  const tables = (['kept', 'notes'] as const).flatMap((half) =>
    halves[half].usage().tables.map((table) => ({ half, ...table })),
  );
  return { tables, fileBytes: halves.kept.usage().fileBytes, usedBytes: usedBytes(halves.kept) };
}
