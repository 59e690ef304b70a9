// What a stored event cannot be faster than: an append to a file with a sync, one at a time.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attend } from '../attendant.ts';
import { quantileOf } from '../figures.ts';
import { eventAt } from '../payload.ts';

const folder = mkdtempSync(join(tmpdir(), 'nagaya-bench-append-'));
const file = openSync(join(folder, 'log'), 'a');
const line = `${JSON.stringify(eventAt(0))}\n`;

attend(
  {
    oneByOne({ durationMs }: { durationMs: number }): { p50: number; p99: number } {
      const micros: number[] = [];
      const endMs = performance.now() + durationMs;
      do {
        const beganMs = performance.now();
        writeSync(file, line);
        fdatasyncSync(file);
        micros.push((performance.now() - beganMs) * 1000);
      } while (performance.now() < endMs);
      return { p50: quantileOf(micros, 0.5), p99: quantileOf(micros, 0.99) };
    },
  },
  () => {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
    return Promise.resolve();
  },
);
