// Which test files share a process: a file that changes or measures its own process must be listed as one that cannot.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { alone, groupsOf, readTimes } from '../../scripts/test-groups.ts';

const root = join(import.meta.dirname, '..', '..');

const testFiles = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)));

const isListed = (path: string): boolean =>
  Object.keys(alone).some((listed) => (listed.endsWith('/') ? path.startsWith(listed) : path === listed));

/** Code that a test gives to a daemon or a cell as a text is not what the test itself does. */
const withoutTexts = (source: string): string =>
  source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/`(?:\\[\s\S]|[^`\\])*`/g, '``')
    .replace(/"(?:\\.|[^"\\\n])*"/g, '""')
    .replace(/'(?:\\.|[^'\\\n])*'/g, (text) => (/^'(?:[A-Z_]+|\/proc\/self.*)'$/.test(text) ? text : "''"));

const processWide: readonly [what: string, pattern: RegExp][] = [
  ['awaits at its top level', /^(?:(?:export )?(?:const|let) .*= |for )?await\b/m],
  ['sets a variable of its environment', /process\.env(?:\.\w+|\[[^\]]*\])\s*=[^=]|delete process\.env/],
  ['ends or moves its process', /process\.(?:exit|abort|chdir|umask|kill\(process\.pid)\b/],
  ['listens to its process', /process\.(?:on|once|addListener|prependListener|removeAllListeners)\(/],
  ['counts memory of its process', /process\.(?:memoryUsage|resourceUsage|cpuUsage|getActiveResourcesInfo)\b/],
  ['measures its event loop', /monitorEventLoopDelay|eventLoopUtilization\(/],
  ['reads what /proc tells of its process', /\bread\w+\(\s*'\/proc\/self/],
  ['mocks timers or globals', /\bmock\.(?:timers|method\(globalThis)/],
  ['changes built-in objects', /\b(?:globalThis|Object\.prototype|Array\.prototype)\.\w+\s*=[^=]/],
];

test('a file that changes or measures its own process is listed with the reason', () => {
  const missing = testFiles
    .filter((path) => !isListed(path))
    .flatMap((path) => {
      const source = withoutTexts(readFileSync(join(root, path), 'utf8'));
      return processWide.filter(([, pattern]) => pattern.test(source)).map(([what]) => `${path} ${what}`);
    });
  assert.deepEqual(missing, [], 'add it to `alone` in scripts/test-groups.ts');
});

test('what is listed exists, and says why', () => {
  for (const [path, why] of Object.entries(alone)) {
    assert.ok(existsSync(join(root, path)), `${path} is listed in scripts/test-groups.ts and does not exist`);
    assert.match(why, /^\S.{10,}$/, path);
  }
});

test('every file is in one group, whole, and the longest groups come first', () => {
  const times = readTimes(root);
  const groups = groupsOf(testFiles, times, 4);
  assert.deepEqual(groups.flatMap(({ files }) => files).toSorted(), testFiles.toSorted());
  assert.equal(new Set(groups.map(({ name }) => name)).size, groups.length);
  const took = groups.map(({ files }) => files.reduce((sum, file) => sum + (times.get(file) ?? 1), 0));
  assert.deepEqual(
    took,
    took.toSorted((one, other) => other - one),
  );
  for (const { files } of groups) {
    if (files.some(isListed)) assert.equal(files.length, 1, files.join());
    assert.equal(new Set(files.map((file) => file.split('/').slice(0, -1).join('/'))).size, 1, 'of one room');
  }
});

test('a few files are spread over all places, and many make groups', () => {
  const names = Array.from({ length: 12 }, (_, at) => `test/room/${String(at)}.test.ts`);
  const times = new Map(names.map((name) => [name, 4]));
  assert.equal(groupsOf(names, times, 4).length, 12);
  const short = new Map(names.map((name) => [name, 1]));
  assert.equal(groupsOf(names, short, 4).length, 3);
});
