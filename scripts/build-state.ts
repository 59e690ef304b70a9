// Whether dist/ holds what the sources say: cells run from there, and a test of old code proves nothing.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const sources = ['protocol', 'workers', 'daemon', join('scripts', 'bench')];
const settings = ['tsconfig.json', join('scripts', 'tsconfig.build.json')];
/** The compiler writes the one last; the bundle's step, which comes after it, makes it the other. */
const records = [join('dist', '.tsbuildinfo'), join('dist', '.bundled')];

export async function isBuilt(root: string): Promise<boolean> {
  const built = Math.max(
    ...(await Promise.all(records.map(async (record) => (await changedMs(join(root, record))) ?? 0))),
  );
  const files = (
    await Promise.all(
      sources.map(async (folder) =>
        (await readdir(join(root, folder), { recursive: true })).map((name) => join(folder, name)),
      ),
    )
  ).flat();
  const changed = await Promise.all([...files, ...settings].map((path) => changedMs(join(root, path))));
  return changed.every((at) => at !== undefined && at <= built);
}

async function changedMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    // Not there, or gone while it was looked at: nothing is known of it.
    return undefined;
  }
}
