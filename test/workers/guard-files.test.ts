// File descriptors and files in a thread cell: only its own, output into its log, and nothing that could be read for
// ever. The cell's host is a process of its own, because a guard that failed would end it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cellLab } from '../labs/cell-lab.ts';
import { trial } from '../labs/guard-trial.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const tried = (expressions: string): string =>
  `const fs = await import('node:fs'); const out = []; for (const act of [${expressions}]) { try { out.push(await act()); } catch (error) { out.push(error.code ?? String(error)); } } return out;`;
const denied = 'ERR_NAGAYA_DENIED';

test('descriptors that the plugin did not open are neither closed, read nor written, by whatever function', async () => {
  const close =
    'const fs = require("node:fs"); let refused = 0; for (let fd = 0; fd < 60; fd += 1) { try { fs.closeSync(fd) } catch { refused += 1 } } return refused'.replace(
      'require("node:fs")',
      'await import("node:fs")',
    );
  const { answers, exitCode } = await trial(
    close,
    tried(
      '() => fs.writeSync(4, "x"), () => fs.readSync(4, Buffer.alloc(1)), () => fs.ftruncateSync(4), () => fs.writeFileSync(4, "x"), () => new Promise((resolve, reject) => fs.close(4, (error) => error ? reject(error) : resolve("closed"))), () => new Promise((resolve, reject) => fs.write(4, "x", (error) => error ? reject(error) : resolve("written")))',
    ),
    'return "the host lives"',
  );
  assert.equal(exitCode, 0);
  assert.deepEqual(answers, [{ answer: 60 }, { answer: Array(6).fill(denied) }, { answer: 'the host lives' }]);
});

test("what is written to descriptors 1 and 2 is the plugin's log, and the daemon's own output gets none of it", async () => {
  const { answers, logs, stdout, stderr } = await trial(
    tried(
      '() => fs.writeSync(1, "sync\\n"), () => fs.writeSync(2, Buffer.from("xxbytesxx\\n"), 2, 5), () => fs.writevSync(1, [Buffer.from("\\nvec"), Buffer.from("tor\\n")]), () => fs.writeFileSync(1, "whole\\n"), () => fs.appendFileSync(2, "more\\n"), () => new Promise((resolve) => fs.write(1, "later\\n", (error, bytes) => resolve(bytes)))',
    ),
    'process.emitWarning("careful"); process._rawDebug("raw"); return new Promise((resolve) => setTimeout(resolve, 20))',
    'const { createWriteStream } = await import("node:fs"); return new Promise((resolve) => createWriteStream(null, { fd: 1, autoClose: false }).end("streamed\\n", () => resolve("ended")))',
    'const { spawn } = await import("node:child_process"); const child = spawn("sh", ["-c", "echo child out; echo child err >&2; cat"], { stdio: "inherit" }); return new Promise((resolve) => child.on("close", (code) => resolve([code, child.stdout])))',
    'const { fork } = await import("node:child_process"); const { unlinkSync, writeFileSync } = await import("node:fs"); const { join } = await import("node:path"); const path = join((await import("node:os")).tmpdir(), "nagaya-forked-" + process.pid + ".cjs"); writeFileSync(path, "console.log(\'forked out\'); process.send(\'up\'); process.disconnect()"); const child = fork(path); return new Promise((resolve) => child.on("message", (message) => child.on("close", () => { unlinkSync(path); resolve(message); })))',
    'return new Promise((resolve) => setTimeout(resolve, 300))',
  );
  assert.deepEqual(answers[0]?.answer, [5, 5, 8, null, null, 6]);
  assert.deepEqual(
    answers.slice(2, 5).map(({ answer }) => answer),
    ['ended', [0, null], 'up'],
  );
  for (const line of [
    'stdout: sync',
    'stdout: vector',
    'stdout: whole',
    'stderr: bytesmore',
    'stdout: later',
    'stderr: raw',
    'stdout: streamed',
    'stdout: child out',
    'stderr: child err',
    'stdout: forked out',
  ])
    assert.ok(logs.includes(line), `${line} in ${logs.join(' | ')}`);
  assert.ok(logs.some((line) => line.includes('careful')));
  assert.equal(stdout, '');
  assert.equal(stderr, '');
});

test('standard input, terminals and named pipes are refused: their reader would wait where nothing can end it', async (t) => {
  const fifo = join(await temporaryFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const path = JSON.stringify(fifo);
  const { answers } = await trial(
    tried('() => fs.readSync(0, Buffer.alloc(1)), () => fs.readFileSync(0), () => fs.readFileSync("/dev/tty")'),
    tried(
      `() => fs.readFileSync(${path}), () => fs.openSync(${path}), () => fs.promises.open(${path}), () => fs.promises.readFile(new URL("file://" + ${path})), () => new Promise((resolve, reject) => fs.readFile(${path}, (error, text) => error ? reject(error) : resolve(text))), () => new Promise((resolve, reject) => fs.createReadStream(${path}).on("error", reject).on("data", resolve)), () => fs.copyFileSync(${path}, "/tmp/never")`,
    ),
    tried(
      `() => fs.closeSync(fs.openSync(${path}, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)), () => typeof fs.readFileSync("/dev/null", "utf8"), () => fs.readFileSync("/nowhere")`,
    ),
  );
  assert.deepEqual(
    answers.map(({ answer }) => answer),
    [Array(3).fill(denied), Array(7).fill(denied), [null, 'string', 'ENOENT']],
  );
});

test("a plugin's own files work as ever, and none is left open when its cell ends", async (t) => {
  const { run, cell, ended, folder } = await cellLab(t);
  const open = (): string[] => readdirSync('/proc/self/fd');
  const path = JSON.stringify(join(folder, 'file'));
  const before = open().length;
  assert.deepEqual(
    await run(
      tried(
        `() => fs.writeFileSync(${path}, "one"), () => fs.appendFileSync(${path}, " two"), () => fs.readFileSync(${path}, "utf8"), () => { const fd = fs.openSync(${path}, "r+"); fs.writeSync(fd, "ONE"); fs.ftruncateSync(fd, 3); const all = fs.readFileSync(fd, "utf8"); fs.closeSync(fd); return all }, () => fs.promises.readFile(${path}, "utf8"), async () => { const handle = await fs.promises.open(${path}); const { buffer, bytesRead } = await handle.read(Buffer.alloc(3), 0, 3, 0); fs.readSync(handle.fd, buffer, 0, 1, 1); await handle.close(); return buffer.toString() + bytesRead }, () => new Promise((resolve) => { let text = ""; fs.createReadStream(${path}).on("data", (chunk) => text += chunk).on("close", () => resolve(text)) }), () => new Promise((resolve) => fs.createWriteStream(${path}).end("stream", () => resolve(fs.readFileSync(${path}, "utf8")))), async () => { const { promisify } = await import("node:util"); const fd = await promisify(fs.open)(${path}); const { bytesRead } = await promisify(fs.read)(fd, Buffer.alloc(6), 0, 6, 0); await promisify(fs.close)(fd); return bytesRead }`,
      ),
    ),
    [null, null, 'one two', '', 'ONE', 'NNE3', 'ONE', 'stream', 6],
  );
  await run(
    `const fs = await import("node:fs"); globalThis.held = []; for (let i = 0; i < 50; i += 1) { fs.openSync(${path}); held.push(await fs.promises.open(${path})); }`,
  );
  assert.ok(open().length >= before + 100);
  cell.end();
  await ended;
  const endMs = performance.now() + 5000;
  while (open().length > before && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(open().length <= before, 'every descriptor is closed');
});

test('a large file is read and written whole by its path, and nothing of it stays open', async (t) => {
  const { run, folder } = await cellLab(t);
  const path = JSON.stringify(join(folder, 'large'));
  const before = readdirSync('/proc/self/fd').length;
  const code = `() => fs.promises.writeFile(${path}, "x".repeat(3e6)), async () => (await fs.promises.readFile(${path})).length, async () => (await fs.promises.readFile(${path}, "utf8")).length, () => new Promise((resolve, reject) => fs.readFile(${path}, (error, bytes) => error ? reject(error) : resolve(bytes.length)))`;
  assert.deepEqual(await run(tried(code)), [null, 3e6, 3e6, 3e6]);
  assert.ok(readdirSync('/proc/self/fd').length <= before, 'every descriptor is closed');
});

test('a plugin that opens files without end is stopped long before the daemon has none left', async (t) => {
  const { run } = await cellLab(t);
  const count =
    'const fs = await import("node:fs"); let opened = 0; try { for (; opened < 10000; opened += 1) fs.openSync("/dev/null"); } catch (error) { return [opened, error.code, error.message]; } return opened';
  const [opened, code, message] = (await run(count)) as [number, string, string];
  assert.equal(opened, 1000);
  assert.equal(code, denied);
  assert.match(message, /Close what is done with/);
  assert.ok(
    ((await run('return (await import("node:fs")).readFileSync("/proc/self/status", "utf8").length')) as number) > 0,
    'whole files can still be read',
  );
});
