// A kit that finds nothing proves nothing: here it meets what nothing contains, and must say so and go on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { control } from '../../daemon/faults/catalogue.ts';
import type { Fault } from '../../daemon/faults/fault.ts';
import { faultsIn } from '../labs/faults-lab.ts';

const thread = { subject: 'service', isolation: 'thread' } as const;
const deed = (id: string, body: string): Fault => ({
  ...control,
  id,
  source: `import { spawn } from 'node:child_process';\nexport const deeds = { '${id}': () => { ${body} } };\n`,
});

test('a daemon that dies is found, reported as not contained, and replaced for the next fault', async () => {
  const murder = deed('murder', 'spawn("kill", ["-9", String(process.pid)]); return new Promise(() => {});');
  const { rows, summary } = await faultsIn(thread, [murder, control]);
  assert.deepEqual(
    rows.map(({ id, verdict }) => [id, verdict]),
    [
      ['murder', 'not contained'],
      ['control', 'contained'],
    ],
  );
  assert.deepEqual(rows[0]?.problems, ['the daemon died (SIGKILL)']);
  assert.equal(summary.daemonDeaths, 1);
});

test('a process that is left behind is found, and ended by the kit', async () => {
  // Nobody's child by then: the daemon ends what a plugin's thread has started, and this it can no longer find.
  const leaves = deed(
    'leaves',
    'const child = spawn("sh", ["-c", "sleep 300 & sleep 0.2"], { detached: true, stdio: "ignore" }); return new Promise((resolve) => child.once("exit", () => resolve(`done`)));',
  );
  const { rows } = await faultsIn(thread, [{ ...leaves, deadlineMs: 5000 }]);
  assert.equal(rows[0]?.verdict, 'not contained', rows[0]?.cause);
  assert.match(rows[0].problems.join(), /left behind: 1 process/);
});

test('a handler that answers wrongly is found', async () => {
  const { rows } = await faultsIn(thread, [deed('wrong', 'return 5;')]);
  assert.match(rows[0]?.problems.join() ?? '', /the caller was answered with a result: answered 5/);
});
