// A cell's signals reach what its plugin has started, and never the daemon: numbers are judged as the system is given
// them. Every signal here is SIGCONT, so that a guard that fails ends nobody.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { networkFlags, permissionFlag } from '../../daemon/isolates/permissions.ts';
import { cellLab } from '../labs/cell-lab.ts';

const denied = 'ERR_NAGAYA_DENIED';

const tried = (tries: readonly string[]): string =>
  `const os = await import('node:os'); const fs = await import('node:fs'); const out = []; for (const act of [${tries.map((code) => `() => ${code}`).join(', ')}]) { try { await act(); out.push('done') } catch (error) { out.push(error.code ?? String(error)) } }`;

/** With the daemon's number as `pid`. */
const ways: readonly string[] = [
  'process.kill(pid, "SIGCONT")',
  'process.kill(String(pid), "SIGCONT")',
  'process.kill([pid], "SIGCONT")',
  'process.kill({ valueOf: () => pid }, "SIGCONT")',
  'process.kill(-pid, "SIGCONT")',
  'process._kill(pid + 0.5, 18)',
  'process._kill(pid, "18")',
  'process._kill(2 ** 32 + pid, 18)',
  'process.kill(Number(fs.readdirSync("/proc/" + pid + "/task").at(-1)), "SIGCONT")',
  'process.kill(fs.readdirSync("/proc/" + pid + "/task").at(-1), "SIGCONT")',
  'process.kill(-1, "SIGCONT")',
  'os.setPriority(pid, 0)',
  'os.setPriority(Number(fs.readdirSync("/proc/" + pid + "/task").at(-1)), 0)',
];

const ownGroup = [
  'process.kill("", "SIGCONT")',
  'process.kill("0", "SIGCONT")',
  'process.kill(false, "SIGCONT")',
  'process.kill([], "SIGCONT")',
];

test('a thread cell signals neither the daemon, its threads, its group nor its parent, however they are written', async (t) => {
  const { run } = await cellLab(t);
  const all = [
    ...ways,
    ...ownGroup,
    'os.setPriority(0, 0)',
    'os.setPriority(0)',
    'os.setPriority(0, undefined)',
    'process.kill(String(process.ppid), "SIGCONT")',
  ];
  const answered = (await run(`const { pid } = process; ${tried(all)} return out`)) as unknown[];
  assert.deepEqual(
    answered.map((code, at) => [all[at], code]),
    all.map((way) => [way, denied]),
  );
});

test("a thread cell under permissions, which cannot look at the system's threads, signals only what it started", async (t) => {
  const { run } = await cellLab(t, {
    spec: {
      execArgv: [
        permissionFlag,
        ...networkFlags,
        '--allow-fs-read=/tmp/*',
        `--allow-fs-read=${process.cwd()}/*`,
        '--allow-child-process',
      ],
    },
  });
  const other = spawn('sleep', ['60']);
  t.after(() => other.kill());
  const answer = await run(
    `const { spawn } = await import('node:child_process'); const child = spawn('sleep', ['60']); const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal)));
    let refused; try { process.kill(payload.other, 'SIGCONT') } catch (error) { refused = error.code } process.kill(child.pid, 'SIGKILL'); return [refused, await ended, process.kill(process.pid, 0)]`,
    { other: other.pid },
  );
  assert.deepEqual(answer, [denied, 'SIGKILL', true]);
});

test('a process cell signals neither the daemon, its threads nor its group, and still itself and its own', async () => {
  const guard = new URL('../../dist/workers/guard/process-signals.js', import.meta.url).href;
  const code = `const { shieldDaemonFromSignals } = await import(${JSON.stringify(guard)}); shieldDaemonFromSignals(true);
    const pid = process.ppid; ${tried([...ways, 'process._debugProcess(pid)'])} const refused = out.splice(0); process.kill(process.pid, 'SIGCONT'); process.kill(0, 'SIGCONT'); os.setPriority(0, 0);
    const { spawn } = await import('node:child_process'); const child = spawn('sleep', ['60']); child.on('exit', (code, signal) => console.log(JSON.stringify([refused, signal]))); process.kill(child.pid, 'SIGKILL')`;
  const cell = spawn(process.execPath, ['--input-type=module', '-e', code], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(cell.stdout.setEncoding('utf8'), 'data')) as [string];
  const [refused, signal] = JSON.parse(text) as [unknown[], string];
  assert.deepEqual(
    refused.map((answer, at) => [ways[at], answer]),
    [...ways, undefined].map((way) => [way, denied]),
  );
  assert.equal(signal, 'SIGKILL');
});
