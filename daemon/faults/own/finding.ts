// What one hostile condition showed of somebody's own plugin.

/**
 * `lost`: events that were accepted came to no good end. `mishandled`: the plugin crashed, hung or failed where it need
 * not. `broken`: it did not work afterwards. `skipped`: the condition does not apply here.
 */
export type FindingVerdict = 'fine' | 'lost' | 'mishandled' | 'broken' | 'skipped';

export interface Finding {
  readonly condition: string;
  readonly what: string;
  readonly verdict: FindingVerdict;
  readonly detail: string;
}

export type Judged = Pick<Finding, 'verdict' | 'detail'>;

export const fine = (detail: string): Judged => ({ verdict: 'fine', detail });
export const lost = (detail: string): Judged => ({ verdict: 'lost', detail });
export const mishandled = (detail: string): Judged => ({ verdict: 'mishandled', detail });
export const broken = (detail: string): Judged => ({ verdict: 'broken', detail });
export const skipped = (detail: string): Judged => ({ verdict: 'skipped', detail });

const limit = 3;

/** What was seen, each thing once and with how often, the first few in full. */
export function tally(things: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  const told = [...counts].slice(0, limit).map(([thing, count]) => `${String(count)} × ${thing}`);
  return counts.size > limit ? `${told.join('; ')}; and ${String(counts.size - limit)} other kinds` : told.join('; ');
}
