// `npm run docs`: writes what the documentation takes from the code.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generatedPages } from './pages.ts';

const root = join(import.meta.dirname, '..', '..');

for (const { path, present, wanted, faults } of await generatedPages(root)) {
  for (const fault of faults) {
    console.error(`${path} ${fault}`);
    process.exitCode = 1;
  }
  if (faults.length > 0 || present === wanted) continue;
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), wanted);
  console.log(`wrote ${path}`);
}
