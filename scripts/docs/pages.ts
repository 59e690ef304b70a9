// Puts the generated sections into the pages that ask for them: `<!-- begin:errors -->` … `<!-- end:errors -->`.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { config } from '../../daemon/config/schema.ts';
import { manifest } from '../../protocol/manifest.ts';
import * as z from 'zod';
import { sections } from './sections.ts';

export interface Page {
  /** From the root of the project. */
  readonly path: string;
  readonly present: string;
  readonly wanted: string;
  readonly faults: readonly string[];
}

/** Sections that must stand somewhere, and where. */
export const requiredSections: readonly (readonly [path: string, section: string])[] = [
  ['docs/operations.md', 'config'],
  ['docs/operations.md', 'commands'],
  ['docs/operations.md', 'errors'],
  ['docs/operations.md', 'operations'],
  ['docs/faults.md', 'faults'],
  ['docs/runtimes.md', 'worker-limits'],
  ['docs/sources.md', 'source-webhook'],
  ['docs/sources.md', 'source-schedule'],
  ['docs/sources.md', 'source-websocket'],
  ['docs/sources.md', 'source-files'],
  ['docs/sources.md', 'webhooks-config'],
  ['docs/benchmarks.md', 'benchmarks'],
  ['docs/benchmarks.md', 'benchmarks-soak'],
];

/** Written from measurements, by commands of their own that take minutes: what stands there stays. */
export const measuredSections: readonly string[] = ['faults', 'benchmarks', 'benchmarks-soak'];

const schemaFiles = { 'docs/schemas/plugin.schema.json': manifest, 'docs/schemas/nagaya.schema.json': config } as const;

/** Every Markdown page of the project, by its path from the root. */
export async function markdownPages(root: string): Promise<string[]> {
  const below = async (folder: string): Promise<string[]> => {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => {
      // A folder that is not there has no pages.
      return [];
    });
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  };
  const top = (await readdir(root)).filter((name) => name.endsWith('.md'));
  const nested = await Promise.all(['docs', 'examples'].map(below));
  return [...top, ...nested.flat().filter((path) => !path.includes('node_modules'))].sort();
}

export async function generatedPages(root: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (const path of await markdownPages(root)) {
    const present = await readFile(join(root, path), 'utf8');
    if (present.includes('<!-- begin:')) pages.push(await fill(path, present));
  }
  for (const [path, section] of requiredSections) {
    if (!pages.some((page) => page.path === path && page.present.includes(`<!-- begin:${section} -->`))) {
      pages.push({
        path,
        present: '',
        wanted: '',
        faults: [`lacks the section <!-- begin:${section} --> … <!-- end:${section} -->`],
      });
    }
  }
  for (const [path, schema] of Object.entries(schemaFiles)) {
    const present = await readFile(join(root, path), 'utf8').catch(() => {
      // Not written yet.
      return '';
    });
    pages.push({
      path,
      present,
      wanted: `${JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), null, 2)}\n`,
      faults: [],
    });
  }
  return pages;
}

async function fill(path: string, present: string): Promise<Page> {
  const faults: string[] = [];
  let wanted = '';
  let rest = present;
  for (;;) {
    const begin = /<!-- begin:([a-z-]+) -->/.exec(rest);
    if (begin === null) return { path, present, wanted: wanted + rest, faults };
    const [opening, name = ''] = begin;
    const closing = `<!-- end:${name} -->`;
    const end = rest.indexOf(closing, begin.index);
    const measured = measuredSections.includes(name) && end !== -1;
    const section = measured ? () => rest.slice(begin.index + opening.length, end).trim() : sections[name];
    if (section === undefined)
      faults.push(`asks for a section "${name}"; there are ${Object.keys(sections).join(', ')}`);
    if (end === -1) faults.push(`opens ${opening} and does not close it with ${closing}`);
    if (section === undefined || end === -1) return { path, present, wanted: present, faults };
    wanted += `${rest.slice(0, begin.index)}${opening}\n\n${await section()}\n\n${closing}`;
    rest = rest.slice(end + closing.length);
  }
}
