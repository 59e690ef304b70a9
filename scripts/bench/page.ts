// Writes what was measured into docs/benchmarks.md, between the markers that are there; the prose around them is
// written by hand and stays.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './place.ts';

export type Section = 'benchmarks' | 'benchmarks-soak';

const page = join(root, 'docs', 'benchmarks.md');

export function writeSection(section: Section, markdown: string): string {
  const [opening, closing] = [`<!-- begin:${section} -->`, `<!-- end:${section} -->`] as const;
  const text = readFileSync(page, 'utf8');
  const from = text.indexOf(opening);
  const to = text.indexOf(closing);
  if (from === -1 || to < from) throw new Error(`${page} has no ${opening} … ${closing}`);
  writeFileSync(page, `${text.slice(0, from + opening.length)}\n\n${markdown}\n\n${text.slice(to)}`);
  return page;
}
