// What `npm pack` makes of a clean clone, installed as a user installs it: it holds what runs and its licenses, nothing
// that only a checkout needs, and the command works from an empty prefix.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const installMs = 240_000;
/** Half of what it was when the first package was made, which had neither store, sources, outputs nor MCP. */
const mostBytes = 2_550_000;

/** The files of the repository and nothing that was built, with the tools that build it. */
async function cleanClone(folder: string): Promise<string> {
  const clone = join(folder, 'clone');
  const names = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  }).split('\0');
  for (const name of names.filter((each) => each !== '' && existsSync(join(root, each)))) {
    await mkdir(dirname(join(clone, name)), { recursive: true });
    await cp(join(root, name), join(clone, name));
  }
  await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
  return clone;
}

async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    names.filter((name) => name.isFile()).map((name) => stat(join(name.parentPath, name.name))),
  );
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** What the declarations of the package import from files that are not in it. */
async function missingTypes(installed: string, names: readonly string[]): Promise<string[]> {
  const declarations = names.filter((name) => name.endsWith('.d.ts'));
  const texts = await Promise.all(declarations.map((name) => readFile(join(installed, name), 'utf8')));
  return declarations.flatMap((name, index) =>
    [...(texts[index] ?? '').matchAll(/(?:from|import\()\s*["'](\.[^"']+)\.(?:ts|js)["']/g)]
      .map(([, target = '']) => `${join(dirname(name), target)}.d.ts`)
      .filter((target) => !names.includes(target))
      .map((target) => `${name} imports ${target}`),
  );
}

test(
  'the package installs from its tarball, and everything a new user tries works',
  { timeout: installMs },
  async (t) => {
    const folder = await temporaryFolder(t);
    const clone = await cleanClone(folder);
    const launcher = join(clone, 'bin/nagaya.cjs');
    const unbuilt = await run(process.execPath, [launcher, 'serve']).catch(
      (error: { code: number; stderr: string }) => error,
    );
    assert.match(unbuilt.stderr, /^nagaya is not built yet: run `npm ci && npm start` in /);
    assert.equal('code' in unbuilt && unbuilt.code, 1);

    const npm = async (...args: string[]): Promise<string> =>
      (await run('npm', args, { cwd: clone, maxBuffer: 16 * 1024 * 1024 })).stdout;
    const packed = await npm('pack', '--silent', '--pack-destination', folder);
    const prefix = join(folder, 'prefix');
    // tsx is the user's own choice, for plugins in TypeScript on a Node that cannot load them.
    const { tsx } = (
      JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> }
    ).devDependencies;
    await npm(
      'install',
      '-g',
      '--silent',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--prefix',
      prefix,
      join(folder, packed.trim().split('\n').at(-1) ?? ''),
      `tsx@${tsx ?? ''}`,
    );
    const installed = join(prefix, 'lib/node_modules/nagaya');
    const own = (await bytesOf(installed)) - (await bytesOf(join(installed, 'node_modules')));
    t.diagnostic(`unpacked ${String(own)} bytes`);
    assert.ok(own <= mostBytes, `${String(own)} bytes`);
    const names = (await readdir(installed, { recursive: true })).filter((name) => !name.startsWith('node_modules'));
    assert.deepEqual(
      names.filter((name) => name.endsWith('.map')),
      [],
      'no maps without their sources',
    );
    assert.deepEqual(await missingTypes(installed, names), [], 'every type that a declaration imports is there');
    assert.match(await readFile(join(installed, 'LICENSE'), 'utf8'), /^MIT License/);
    const license = (await readFile(join(root, 'node_modules/comlink/LICENSE'), 'utf8')).trim();
    assert.ok((await readFile(join(installed, 'THIRD-PARTY-NOTICES.md'), 'utf8')).includes(license));

    const socket = join(folder, 's');
    const env = {
      PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      NAGAYA_SOCKET: socket,
      NAGAYA_STATE: join(folder, 'state'),
    };
    const nagaya = async (...args: string[]): Promise<string> =>
      (await run('nagaya', args, { env, cwd: folder })).stdout;
    const config = join(folder, 'nagaya.json');
    await writeFile(config, JSON.stringify({ http: { port: 0 } }));
    const daemon = spawn('nagaya', ['serve', '--config', config, '--plugins', join(installed, 'examples/slugify-ts')], {
      env,
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(daemon, 'close');
    t.after(() => daemon.kill('SIGKILL'));
    let log = '';
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (log += text));
    for (
      let tries = 0;
      !(await nagaya('ping').then(
        () => true,
        () => false,
      ));
      tries += 1
    )
      assert.ok(tries < 100 && daemon.exitCode === null, log);

    await nagaya('new', 'service', 'hello');
    await nagaya('load', 'hello', '--start');
    assert.match(await nagaya('deliver', 'hello', '{"name":"Ada"}'), /Ada/);
    assert.match(await nagaya('call', 'example.slugify', 'slugify', '{"title":"Crème brûlée"}'), /creme-brulee/);
    const url = new URL((await nagaya('open')).trim());
    const page = await fetch(url, { redirect: 'manual' });
    const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? '';
    assert.match(await (await fetch(new URL('/', url), { headers: { cookie } })).text(), /<title>Nagaya<\/title>/);
    assert.equal((await fetch(new URL('/page.js', url), { headers: { cookie } })).status, 200);
    await nagaya('shutdown');
    assert.equal((await ended)[0], 0, log);
  },
);
