// What a thread cell may not read: what has no end, what could keep the thread waiting where nothing can end it, and
// what holds the environment or the memory of a process. The cell's host is a process of its own, which a guard that
// failed would fill or block.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cellLab } from '../labs/cell-lab.ts';
import { trial } from '../labs/guard-trial.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const denied = 'ERR_NAGAYA_DENIED';
const eventual =
  'const eventual = (begin) => new Promise((resolve, reject) => begin((error, value) => error ? reject(error) : resolve(value)));';

const tried = (tries: readonly string[]): string =>
  `const fs = await import('node:fs'); const v8 = await import('node:v8'); const path = await import('node:path'); const require = (await import('node:module')).createRequire('/'); ${eventual} const out = []; for (const act of [${tries.map((code) => `() => ${code}`).join(', ')}]) { try { out.push(typeof await act()) } catch (error) { out.push(error.code ?? String(error)) } } return out;`;

async function assertDenied(tries: readonly string[]): Promise<void> {
  const { answers, exitCode } = await trial(tried(tries), 'return "the host lives"');
  const told = (answers[0]?.answer ?? []) as unknown[];
  assert.deepEqual(
    tries.map((way, at) => [way, told[at]]),
    tries.map((way) => [way, denied]),
  );
  assert.deepEqual([answers[1]?.answer, exitCode], ['the host lives', 0]);
}

/**
 * Node 26 hands out no native function of `fs`: there the guard stands at the public functions alone, and some ways
 * lead past it (docs/decisions/guard-attacks.md).
 */
const newerThanVerified =
  Number(process.versions.node.split('.')[0]) >= 26 ? 'Node 26 hands out no native function of fs' : false;

test(
  'devices without an end are not read as a whole, whatever the path is written as',
  { skip: newerThanVerified },
  async () => {
    await assertDenied([
      'fs.readFileSync("/dev/zero", "utf8")',
      'fs.readFileSync("/dev/zero")',
      'fs.readFileSync("/dev/urandom", { encoding: "latin1" })',
      'fs.readFileSync(Buffer.from("/dev/zero"), "utf8")',
      'fs.readFileSync(new Uint8Array(Buffer.from("/dev/zero")), "utf8")',
      'fs.readFileSync(new URL("file:///dev/zero"), "utf8")',
      'fs.readFileSync("/dev/../dev/zero", "utf8")',
      'fs.readFileSync(fs.openSync("/dev/zero"), "utf8")',
      'fs.promises.readFile("/dev/zero", "utf8")',
      'eventual((done) => fs.readFile("/dev/zero", done))',
      'process.loadEnvFile("/dev/zero")',
      'fs.openAsBlob("/dev/zero")',
    ]);
  },
);

test(
  'pipes are neither copied to, imported, nor given to functions that open a file by themselves',
  { skip: newerThanVerified },
  async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ['pipe.mjs', 'pipe.cjs']) execFileSync('mkfifo', [join(folder, name)]);
    writeFileSync(join(folder, 'file'), 'text');
    const [pipe, module, file] = ['pipe.mjs', 'pipe.cjs', 'file'].map((name) => JSON.stringify(join(folder, name)));
    await assertDenied([
      `fs.copyFileSync(${String(file)}, ${String(pipe)})`,
      `fs.promises.copyFile(${String(file)}, ${String(pipe)})`,
      `eventual((done) => fs.copyFile(${String(file)}, ${String(pipe)}, done))`,
      `fs.promises.cp(${String(pipe)}, ${String(pipe)} + ".copy").catch((error) => { throw Object.assign(error, { code: error.code === "ERR_FS_CP_FIFO_PIPE" ? "${denied}" : error.code }) })`,
      `process.loadEnvFile(${String(pipe)})`,
      `import(${String(pipe)})`,
      `require(${String(module)})`,
      `fs.openAsBlob(${String(pipe)})`,
      `v8.writeHeapSnapshot(${String(pipe)})`,
      `fs.truncateSync(${String(pipe)})`,
      `fs.appendFileSync(${String(pipe)}, "x")`,
      `fs.promises.writeFile(${String(pipe)}, "x")`,
    ]);
  },
);

test('a file larger than a cell could hold as text is refused before it is read, and read as a stream', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'huge');
  execFileSync('truncate', ['-s', '3G', path]);
  const { run } = await cellLab(t);
  const [code, message, read] = (await run(
    'const fs = await import("node:fs"); let refused; try { fs.readFileSync(payload.path, "utf8") } catch (error) { refused = error } const stream = fs.createReadStream(payload.path, { end: 9 }); let read = 0; for await (const chunk of stream) read += chunk.length; return [refused.code, refused.message, read]',
    { path },
  )) as [string, string, number];
  assert.equal(code, denied);
  assert.match(message, /Reading a file of 3072 MiB as one text.*Read it as a stream/);
  assert.equal(read, 10);
});

test("no process's environment or memory is opened, whatever leads to it", { skip: newerThanVerified }, async (t) => {
  const folder = await temporaryFolder(t);
  symlinkSync('/proc/self/environ', join(folder, 'link'));
  symlinkSync('/proc/self', join(folder, 'folder'));
  const inside = (name: string): string => JSON.stringify(join(folder, name));
  await assertDenied([
    'fs.readFileSync("/proc/self/environ", "utf8")',
    'fs.readFileSync("/proc/" + process.pid + "/environ")',
    'fs.readFileSync("/proc/" + process.ppid + "/environ")',
    'fs.readFileSync("/proc/thread-self/environ")',
    'fs.readFileSync("/proc/self/task/" + process.pid + "/environ")',
    'fs.readFileSync("/proc/self/root/proc/self/environ")',
    'fs.readFileSync(path.relative(process.cwd(), "/proc/self/environ"))',
    'fs.readFileSync("/proc/self/cwd/" + path.relative(process.cwd(), "/proc/self/environ"))',
    'fs.readFileSync("//proc/./self//environ")',
    'fs.readFileSync(Buffer.from("/proc/self/environ"))',
    'fs.readFileSync(new Uint8Array(Buffer.from("/proc/self/environ")))',
    'fs.readFileSync(new URL("file:///proc/self/environ"))',
    'fs.readFileSync(new URL("file:///proc/self/%65nviron"))',
    `fs.readFileSync(${inside('link')})`,
    `fs.readFileSync(${inside('folder/environ')})`,
    'fs.readFileSync("/proc/self/fd/" + fs.openSync("/proc/self", fs.constants.O_DIRECTORY) + "/environ")',
    'fs.readFileSync("/dev/fd/" + fs.openSync("/proc/self", fs.constants.O_DIRECTORY) + "/environ")',
    'fs.openSync("/proc/self/environ", "r")',
    'fs.openSync("/proc/self/environ", fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)',
    'fs.promises.open("/proc/self/environ")',
    'fs.promises.readFile("/proc/self/environ")',
    'eventual((done) => fs.readFile("/proc/self/environ", done))',
    'eventual((done) => fs.open("/proc/self/environ", done))',
    'eventual((done) => fs.createReadStream("/proc/self/environ").on("error", done).on("data", (text) => done(null, text)))',
    `fs.copyFileSync("/proc/self/environ", ${inside('copy')})`,
    `fs.promises.copyFile("/proc/self/environ", ${inside('copy')})`,
    `fs.cpSync("/proc/self/environ", ${inside('other')})`,
    'process.loadEnvFile("/proc/self/environ")',
    'fs.openAsBlob("/proc/self/environ")',
    'import("/proc/self/environ")',
    'require("/proc/self/environ")',
    'fs.openSync("/proc/self/mem", "r")',
    'fs.writeFileSync("/proc/self/oom_score_adj", "1000")',
    'import("node:wasi").then(({ WASI }) => new WASI({ version: "preview1", stdin: 3 }))',
  ]);
});

test('what programs read of themselves stays readable', async (t) => {
  const { run } = await cellLab(t);
  const code =
    'const fs = await import("node:fs"); const os = await import("node:os"); return [fs.readFileSync("/proc/self/status", "utf8").includes("VmRSS"), fs.readFileSync("/proc/cpuinfo").length > 0, fs.readdirSync("/proc/self/fd").length > 0, process.memoryUsage.rss() > 0, os.cpus().length > 0, fs.readFileSync("/dev/null", "utf8")]';
  assert.deepEqual(await run(code), [true, true, true, true, true, '']);
  assert.equal(
    await run(
      'const fs = await import("node:fs"); const random = fs.openSync("/dev/urandom"); const read = fs.readSync(random, Buffer.alloc(16)); fs.closeSync(random); return read',
    ),
    16,
  );
});
