// A configuration that does not fit stops the daemon before it starts, with every fault by its path and a remedy.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { maxConfigBytes } from '../../daemon/config/load.ts';
import { issuesOfLoading, load } from '../labs/config-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const faults: readonly [what: string, config: unknown, path: string, message: RegExp][] = [
  ['an unknown key', { limts: {} }, 'limts', /did you mean "limits"\?/],
  ['an unknown bound', { limits: { lineByte: 1 } }, 'limits.lineByte', /did you mean "lineBytes"\?/],
  ['a wrong type', { limits: { plugins: 'many' } }, 'limits.plugins', /must be a number, but it is a text/],
  ['a value out of range', { limits: { shutdownMs: 1 } }, 'limits.shutdownMs', /must be at least 100/],
  ['an unknown log level', { log: { level: 'loud' } }, 'log.level', /must be "trace", "debug"/],
  [
    'an override of what is no id',
    { plugins: { overrides: { 'No Id': {} } } },
    'plugins.overrides.No Id',
    /is not a valid name: it must be 1-128 characters/,
  ],
  [
    'an unknown key of an override',
    { plugins: { overrides: { a: { timeout: {} } } } },
    'plugins.overrides.a.timeout',
    /did you mean "timeouts"\?/,
  ],
  [
    'an environment name that is none',
    { plugins: { overrides: { a: { env: ['A=B'] } } } },
    'plugins.overrides.a.env[0]',
    /name of an environment variable/,
  ],
  [
    'an event larger than a line',
    { limits: { eventBytes: 2048, lineBytes: 1024, toolInputBytes: 1024, workerInputBytes: 1024 } },
    'limits.eventBytes',
    /2048 must not be more than limits\.lineBytes \(1024\)/,
  ],
  [
    'an output larger than an answer',
    { limits: { toolOutputBytes: 500_000, answerBytes: 400_000, transcriptBytes: 65_536, workerSayBytes: 65_536 } },
    'limits.toolOutputBytes',
    /answerBytes/,
  ],
  [
    'no time between asking a cell and ending it',
    { limits: { abortGraceMs: 50, killMs: 50 } },
    'limits.abortGraceMs',
    /50 must be less than limits\.killMs \(50\)/,
  ],
  [
    'a transcript that fits no answer once it is JSON',
    { limits: { transcriptBytes: 16 * 1024 * 1024 } },
    'limits.transcriptBytes',
    /must not be more than 1\/6 of limits\.answerBytes \(33554432\)/,
  ],
  [
    'a daemon that ends before its cells',
    { limits: { killMs: 5000, shutdownMs: 4000 } },
    'limits.killMs',
    /must be less than limits\.shutdownMs/,
  ],
  [
    'a runtime of another daemon with a password in its address',
    { runtimes: [{ id: 'far', url: 'https://me:secret@far.example', tokenFile: 't' }] },
    'runtimes[0].url',
    /without a name, a password/,
  ],
  [
    'a runtime of another daemon without a token',
    { runtimes: [{ id: 'far', url: 'https://far.example' }] },
    'runtimes[0].tokenFile',
    /is missing/,
  ],
  [
    'a runtime of another daemon that only shows it',
    { runtimes: [{ id: 'far', url: 'https://far.example', tokenFile: 't', runtime: 'third' }] },
    'runtimes[0].runtime',
    /must be "backend-internal" or "local"|"backend-internal", "local"/,
  ],
  [
    'a token that would be sent in the open',
    { runtimes: [{ id: 'far', url: 'http://far.example:7979', tokenFile: 't' }] },
    'runtimes[0].url',
    /use https:\/\/, or set allowPlain/,
  ],
  [
    'a runtime of another daemon with an id of this one',
    { runtimes: [{ id: 'local', url: 'https://far.example', tokenFile: 't' }] },
    'runtimes[0].id',
    /is a runtime of this daemon itself/,
  ],
  [
    'two runtimes with one id',
    { runtimes: ['a', 'b'].map((host) => ({ id: 'far', url: `https://${host}.example`, tokenFile: 't' })) },
    'runtimes[1].id',
    /is the id of runtimes\[0\] already/,
  ],
  [
    'an id that a member of the cluster may have',
    {
      cluster: { name: 'c', member: 'm', nats: { servers: 'nats://127.0.0.1:1' } },
      runtimes: [{ id: 'attic.local', url: 'https://far.example', tokenFile: 't' }],
    },
    'runtimes[0].id',
    /must hold no dot/,
  ],
  ['no object at all', [], '', /must be an object, but it is a list/],
];

for (const [what, config, path, message] of faults) {
  test(`${what} is refused by its path`, async (t) => {
    const home = await temporaryFolder(t);
    await writeTree(home, { 'nagaya.json': config });
    const issues = await issuesOfLoading(home);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      [path],
    );
    assert.match(issues[0]?.message ?? '', message);
  });
}

test('an override sets only what it says', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, {
    'nagaya.json': {
      plugins: { overrides: { a: { limits: { heapMb: 99 }, queue: {}, tools: { b: { timeoutMs: 5 } } } } },
    },
  });
  const { config } = await load(home);
  assert.deepEqual(config.plugins.overrides, {
    a: { limits: { heapMb: 99 }, queue: {}, tools: { b: { timeoutMs: 5 } } },
  });
});

test('a comment or a syntax error in JSON is named by line and column', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, { 'nagaya.json': '{\n  // bounds\n  "limits": {}\n}' });
  assert.deepEqual(await issuesOfLoading(home), [{ path: '', message: '2:3: JSON has no comments; remove it' }]);
});

test(
  'a file that is too large, no regular file or of another kind is refused at once',
  { timeout: 10_000 },
  async (t) => {
    const home = await temporaryFolder(t);
    await writeTree(home, { 'large.json': ' '.repeat(maxConfigBytes + 1), 'nagaya.toml': '' });
    execFileSync('mkfifo', [join(home, 'fifo.json')]);
    const message = async (path: string): Promise<string> => (await issuesOfLoading(home, { path }))[0]?.message ?? '';
    assert.match(await message('large.json'), /larger than 262144 bytes/);
    assert.match(await message('fifo.json'), /is a fifo/);
    assert.match(await message('.'), /is a folder/);
    assert.match(await message('nagaya.toml'), /must end in \.json, \.yaml or \.yml/);
  },
);
