// The trivial handler that every variant runs; the plugin that Nagaya runs holds the same.
import type { BenchEvent } from '../payload.ts';

export const handle = (event: BenchEvent): Promise<number> => Promise.resolve(event.payload.amount);
