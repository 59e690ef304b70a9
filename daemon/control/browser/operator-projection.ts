// What the operator's page sees of an answer: the fields that the operation's schema names, without stacks and without
// places of this machine. A path in a text is cut to the name of its file, which is what a person looks for.
import { HostError, type ErrorDetails } from '../../../protocol/errors.ts';
import { EncodedJson } from '../../../protocol/json-rpc.ts';
import type { Operation } from '../../../protocol/operation.ts';
import type { Projection } from '../projection.ts';
import { browserProjection } from './browser-projection.ts';

/** They say where something lies, what the environment holds, or how the code was called. */
const withheld: ReadonlySet<string> = new Set([
  'stack',
  'socket',
  'stateFolder',
  'folder',
  'env',
  'cause',
  'token',
  'readToken',
  'metricsToken',
]);

/** An absolute path, or the address of a file; not the path of an address of HTTP, which has a host before it. */
const place = /(?:file:\/\/)?(?<![\w.:/~-])~?(?:\/[\w@.+~%-]+)+\/?/g;
const ownPaths = /^\/(?:api|metrics|livez|readyz|hooks|mcp)(?:\/|$)/;

export function withoutPlaces(text: string): string {
  if (!text.includes('/')) return text;
  return text.replace(place, (path) => {
    if (ownPaths.test(path)) return path;
    const name = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
    return name === '' ? '…' : `…/${name}`;
  });
}

function told(value: unknown): unknown {
  if (typeof value === 'string') return withoutPlaces(value);
  if (Array.isArray(value)) return value.map(told);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !withheld.has(name))
      .map(([name, field]) => [withoutPlaces(name), told(field)]),
  );
}

const toldDetails = (details: ErrorDetails): ErrorDetails => told(details) as ErrorDetails;

export const operatorProjection: Projection = {
  result(row: Operation, result: unknown): unknown {
    const plain: unknown = result instanceof EncodedJson ? JSON.parse(result.text) : result;
    return told(row.result.parse(plain));
  },
  event: browserProjection.event,
  error: (error) => new HostError(error.code, withoutPlaces(error.message), toldDetails(error.details)),
};
