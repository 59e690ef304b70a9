// Holds the import directions: the arrows between layers and between the rooms of the daemon, the edge of each
// dependency, what may not be reachable at run time, and that no two files need each other.
import { access, readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import type { Check } from './check.ts';
import { cyclesOf, pathsTo } from './graph-walk.ts';
import { type Import, type ImportGraph, readImportGraph } from './import-graph.ts';
import { roomFault } from './rooms.ts';
import { arrows, edges, ioEdge, ioModules, layerOf, layers, withoutAtRunTime } from './import-rules.ts';

export const imports: Check = {
  name: 'imports',
  async run(root) {
    const graph = await readImportGraph(root, layers);
    const faults: string[] = [];
    for (const [file, list] of graph) {
      for (const found of list) {
        const fault = await faultOf(root, graph, file, found);
        if (fault !== undefined) faults.push(`${file}:${String(found.line)} ${fault}`);
      }
    }
    faults.push(...reachFaults(graph), ...cycleFaults(graph), ...(await dormantDependencies(root, graph)));
    return faults;
  },
};

async function faultOf(root: string, graph: ImportGraph, file: string, found: Import): Promise<string | undefined> {
  if (found.file !== undefined)
    return (
      (await targetFault(root, graph, found)) ?? arrowFault(file, found) ?? roomFault(file, found.file, found.typeOnly)
    );
  const name = found.specifier.replace(/^node:/, '');
  if (builtinModules.includes(name)) return builtinFault(file, found, name);
  return dependencyFault(file, found);
}

async function targetFault(
  root: string,
  graph: ImportGraph,
  { file = '', specifier }: Import,
): Promise<string | undefined> {
  if (!/\.m?ts$/.test(specifier)) return `imports ${specifier}; name the file with its .ts ending`;
  if (graph.has(file)) return undefined;
  try {
    await access(join(root, file));
  } catch {
    // Whatever the reason, the file cannot be imported.
    return `imports ${specifier}, which does not exist`;
  }
  return `imports ${specifier}, which is in none of ${layers.join(', ')}`;
}

function arrowFault(file: string, found: Import): string | undefined {
  const from = layerOf(file);
  const to = layerOf(found.file ?? '');
  if (from === undefined || to === undefined) return undefined;
  const allowed = arrows[from][to];
  if (allowed === 'all' || (allowed === 'types' && found.typeOnly)) return undefined;
  return allowed === 'types'
    ? `imports ${found.specifier} at run time; ${from} may only "import type" from ${to}`
    : `imports ${found.specifier}; ${from} may import nothing from ${to}`;
}

function builtinFault(file: string, found: Import, name: string): string | undefined {
  if (!found.specifier.startsWith('node:')) return `imports ${found.specifier}; write node:${name}`;
  if (found.typeOnly || layerOf(file) !== ioEdge.layer || file.startsWith(ioEdge.except) || !ioModules.includes(name))
    return undefined;
  return `imports ${found.specifier}; the protocol does no input or output outside ${ioEdge.except}`;
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function dependencyFault(file: string, found: Import): string | undefined {
  const name = packageOf(found.specifier);
  const allowed = edges[name];
  if (allowed === undefined) return `imports ${name}, which has no edge in scripts/check/import-rules.ts`;
  return allowed.some((edge) => file.startsWith(edge))
    ? undefined
    : `imports ${name}; only ${allowed.join(' and ')} may`;
}

function reachFaults(graph: ImportGraph): string[] {
  const { dependency, files } = withoutAtRunTime;
  return [...pathsTo(graph, dependency)]
    .filter(([file]) => files.some((edge) => file.startsWith(edge)))
    .map(([file, path]) => `${file} reaches ${dependency} at run time: ${[file, ...path].join(' → ')}`);
}

function cycleFaults(graph: ImportGraph): string[] {
  return cyclesOf(graph).map((cycle) => `${cycle[0] ?? ''} is part of a cycle: ${cycle.join(' → ')}`);
}

/** What nobody imports is not shipped. */
async function dormantDependencies(root: string, graph: ImportGraph): Promise<string[]> {
  // This project's own package.json.
  const { dependencies = {} } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  const imported = new Set([...graph.values()].flat().map(({ specifier }) => packageOf(specifier)));
  return Object.keys(dependencies)
    .filter((name) => !imported.has(name))
    .map((name) => `package.json depends on ${name}, which nothing imports`);
}
