// Functions that read or write a whole file in native code, and open it by themselves.
import fs from 'node:fs';
import { resolve } from 'node:path';
import v8 from 'node:v8';
import { replace } from './denial.ts';
import { type Purpose, requireHarmless } from './paths.ts';

type FileFunction = (...args: unknown[]) => unknown;

export function shieldWholeFiles(): void {
  // Without a path it is a file of this name.
  onPath(process, 'loadEnvFile', 'r', 'text', (path) => path ?? resolve('.env'));
  onPath(v8, 'writeHeapSnapshot', 'w', 'open', (path) => path);
  const { openAsBlob } = fs as unknown as Record<string, FileFunction | undefined>;
  if (openAsBlob !== undefined) {
    replace(fs, 'openAsBlob', async (path: unknown, ...rest: unknown[]) => {
      // What it reads later it opens by the path again.
      requireHarmless(path, 'r', 'whole');
      return await openAsBlob(path, ...rest);
    });
  }
}

function onPath(
  target: object,
  name: string,
  flags: string,
  purpose: Purpose,
  pathOf: (path: unknown) => unknown,
): void {
  const original = Reflect.get(target, name) as FileFunction | undefined;
  if (original === undefined) return;
  replace(target, name, (path?: unknown, ...rest: unknown[]) => {
    requireHarmless(pathOf(path), flags, purpose);
    const done: unknown = Reflect.apply(original, target, path === undefined ? [] : [path, ...rest]);
    return done;
  });
}
