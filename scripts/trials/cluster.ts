// The trial of a cluster, for as long as is asked: test/cluster/trial.test.ts with more services.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
/** What was accepted is still handled, after the last disturbance. */
const settleMs = 600_000;

export async function clusterTrial({
  seconds,
  progress,
}: {
  readonly seconds: number;
  progress(text: string): void;
}): Promise<{ readonly seed: string; readonly faults: readonly string[] }> {
  const seed = process.env['NAGAYA_TRIAL_SEED'] ?? String(Date.now() % 100_000);
  progress(`seed ${seed}, ${String(seconds)} s`);
  const timeout = `--test-timeout=${String(seconds * 1000 + settleMs)}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--test', timeout, 'test/cluster/trial.test.ts'], {
    cwd: root,
    env: { ...process.env, NAGAYA_TRIAL_SECONDS: String(seconds), NAGAYA_TRIAL_SEED: seed },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const faults: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => progress(text.trimEnd()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0) faults.push(`the trial failed with the seed ${seed}`);
  return { seed, faults };
}
