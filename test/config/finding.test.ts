// Which configuration a daemon runs with: the one named, else the one at hand, else the user's, else every default.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { issuesOfLoading, load } from '../labs/config-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const marked = (plugins: number): object => ({ limits: { plugins } });

test("the file named on the command line comes first, then $NAGAYA_CONFIG, the working folder, and the user's own", async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, {
    'named.json': marked(1),
    'environment.json': marked(2),
    'work/nagaya.json': marked(3),
    'xdg/nagaya/nagaya.json': marked(4),
    '.config/nagaya/nagaya.yaml': 'limits: {plugins: 5}',
  });
  const cwd = join(home, 'work');
  const env = { HOME: home, NAGAYA_CONFIG: join(home, 'environment.json'), XDG_CONFIG_HOME: join(home, 'xdg') };
  const plugins = async (options: object): Promise<[number, string | null]> => {
    const { config, path } = await load(home, options);
    return [config.limits.plugins, path];
  };
  assert.deepEqual(await plugins({ path: '../named.json', cwd, env }), [1, join(home, 'named.json')]);
  assert.deepEqual(await plugins({ cwd, env }), [2, join(home, 'environment.json')]);
  assert.deepEqual(await plugins({ cwd, env: { ...env, NAGAYA_CONFIG: '' } }), [3, join(cwd, 'nagaya.json')]);
  assert.deepEqual(await plugins({ cwd: home, env: { ...env, NAGAYA_CONFIG: undefined } }), [
    4,
    join(home, 'xdg/nagaya/nagaya.json'),
  ]);
  assert.deepEqual(await plugins({ cwd: home, env: { HOME: home, XDG_CONFIG_HOME: 'relative' } }), [
    5,
    join(home, '.config/nagaya/nagaya.yaml'),
  ]);
});

test('without any file every value is its default', async (t) => {
  const home = await temporaryFolder(t);
  const { config, path } = await load(home);
  assert.equal(path, null);
  assert.deepEqual(
    [config.limits.eventBytes, config.log.level, config.plugins],
    [262_144, 'info', { folders: [], autostart: true, overrides: {} }],
  );
});

test('a file that was named and is missing is a fault, not a default', async (t) => {
  const home = await temporaryFolder(t);
  assert.match((await issuesOfLoading(home, { path: 'nagaya.json' }))[0]?.message ?? '', /does not exist/);
  assert.match(
    (await issuesOfLoading(home, { env: { HOME: home, NAGAYA_CONFIG: '/nowhere.json' } }))[0]?.message ?? '',
    /does not exist/,
  );
});

test('two files side by side are a fault, because one of them would be ignored', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, { 'nagaya.json': '{}', 'nagaya.yml': '' });
  assert.match((await issuesOfLoading(home))[0]?.message ?? '', /nagaya\.yml stands beside it; keep one/);
});

test('relative paths count from the file, and ~/ from the home of the user', async (t) => {
  const home = await temporaryFolder(t);
  await writeTree(home, {
    'etc/nagaya.json': {
      socket: 'run/n.sock',
      stateFolder: '../state',
      plugins: { folders: ['plugins', '/absolute', '~/mine'] },
    },
  });
  const { config } = await load(home, { path: 'etc/nagaya.json' });
  assert.deepEqual(
    [config.socket, config.stateFolder, ...config.plugins.folders],
    [join(home, 'etc/run/n.sock'), join(home, 'state'), join(home, 'etc/plugins'), '/absolute', join(home, 'mine')],
  );
});
