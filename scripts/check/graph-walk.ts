// Questions about the import graph as a whole: what leads to a package at run time, and where files need each other.
import type { ImportGraph } from './import-graph.ts';

/** For each file from which the package is reached at run time, the shortest way to it. */
export function pathsTo(graph: ImportGraph, dependency: string): Map<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>();
  const isIt = (specifier: string): boolean => specifier === dependency || specifier.startsWith(`${dependency}/`);
  for (const [file, imports] of graph) {
    if (imports.some(({ specifier, typeOnly }) => !typeOnly && isIt(specifier))) paths.set(file, [dependency]);
  }
  for (let grew = true; grew;) {
    grew = false;
    // Found in one round, added after it: so the shorter ways are found first.
    const next: [string, readonly string[]][] = [];
    for (const [file, imports] of graph) {
      if (paths.has(file)) continue;
      const through = imports.find(
        (found) => !found.typeOnly && found.file !== undefined && paths.has(found.file),
      )?.file;
      if (through !== undefined) next.push([file, [through, ...(paths.get(through) ?? [])]]);
    }
    for (const [file, path] of next) paths.set(file, path);
    grew = next.length > 0;
  }
  return paths;
}

/**
 * One cycle for each file at which a walk comes back to where it has been; types count, because a reader needs both.
 */
export function cyclesOf(graph: ImportGraph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]): void => {
    const from = way.indexOf(file);
    if (from !== -1) {
      cycles.push([...way.slice(from), file]);
      return;
    }
    if (done.has(file)) return;
    for (const { file: next } of graph.get(file) ?? []) {
      if (next !== undefined && graph.has(next)) walk(next, [...way, file]);
    }
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return cycles;
}
