// Runs test files in this process, one after the other, each as a suite of its own name: Node, tsx and the code under
// test are then loaded once for all of them. What it has begun and ended is noted in a file, so that whoever started it
// can name the file that ended or blocked the process, and run those that did not get their turn.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'node:test';
import { pathToFileURL } from 'node:url';

export interface GroupRun {
  readonly root: string;
  readonly files: readonly string[];
  /** For all tests of a file, and for each of them. */
  readonly testMs: number;
  readonly notes: string;
}

export async function runGroup({ root, files, testMs, notes }: GroupRun): Promise<void> {
  const note = (what: 'began' | 'ended', file: string): void =>
    appendFileSync(notes, `${what} ${String(Math.round(performance.now()))} ${file}\n`);
  for (const file of files) {
    note('began', file);
    // A file is imported when its turn comes: what it does while it is imported disturbs no other one.
    await suite(file, { timeout: testMs }, async () => {
      await import(pathToFileURL(join(root, file)).href);
    });
    note('ended', file);
  }
}
