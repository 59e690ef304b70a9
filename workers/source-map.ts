// Leads a place in a plugin's compiled file back to its source. It runs inside the cell: what a plugin ships as a
// source map is the plugin's data, and the host parses nothing of that.
import fs from 'node:fs';
import { SourceMap, type SourceMapPayload, findSourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Position } from '../protocol/cell/inspection.ts';
import { parseJson } from './primitives.ts';

/** Own references: a plugin may put others in their place. */
const { closeSync, constants, fstatSync, openSync, readFileSync } = fs;
const nodesMap = findSourceMap;

const maxSourceBytes = 8 * 1024 * 1024;
const maxMapBytes = 8 * 1024 * 1024;
const comment = 'sourceMappingURL=';
const dataUrl = /^data:application\/json[^,]*?(;base64)?,/;

interface FoundMap {
  readonly map: SourceMap;
  /** What its sources are relative to. */
  readonly base: string;
}

/** Where the place comes from, or nothing where no map tells. */
export function originOf([url, line, column]: Position): Position | undefined {
  // Node's own knows maps that are in no file: those of what a loader compiled.
  const known = nodesMap(url);
  const found = known === undefined ? mapBeside(url) : { map: known, base: url };
  const entry = found?.map.findEntry(line - 1, column - 1);
  if (
    found === undefined ||
    entry === undefined ||
    !('originalSource' in entry) ||
    typeof entry.originalSource !== 'string'
  )
    return undefined;
  const source = new URL(`${found.map.payload.sourceRoot ?? ''}${entry.originalSource}`, found.base).href;
  return [source, entry.originalLine + 1, entry.originalColumn + 1];
}

function mapBeside(url: string): FoundMap | undefined {
  const source = readBounded(url, maxSourceBytes);
  const at = source?.lastIndexOf(comment) ?? -1;
  if (source === undefined || at === -1) return undefined;
  const reference = /^\S*/.exec(source.slice(at + comment.length))?.[0] ?? '';
  const inline = dataUrl.exec(reference);
  const base = inline === null ? new URL(reference, url).href : url;
  const text =
    inline === null
      ? readBounded(base, maxMapBytes)
      : inlineText(reference.slice(inline[0].length), inline[1] !== undefined);
  return text === undefined ? undefined : { map: new SourceMap(parseJson(text) as SourceMapPayload), base };
}

const inlineText = (text: string, isBase64: boolean): string =>
  isBase64 ? Buffer.from(text, 'base64').toString('utf8') : decodeURIComponent(text);

/** Nothing where it is no plain file, or larger than its bound: reading must neither block nor fill the heap. */
function readBounded(url: string, maxBytes: number): string | undefined {
  const descriptor = openSync(fileURLToPath(url), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(descriptor, 'utf8') : undefined;
  } finally {
    closeSync(descriptor);
  }
}
