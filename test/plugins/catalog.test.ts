// The catalog is the one place that says which plugins are loaded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Catalog } from '../../daemon/plugins/catalog.ts';
import { invalidPlugin } from '../../daemon/plugins/invalid-plugin.ts';
import type { LoadedPlugin } from '../../daemon/plugins/plugin.ts';
import { HostError } from '../../protocol/errors.ts';
import { manifest } from '../../protocol/manifest.ts';
import { toolManifest } from '../labs/manifest-lab.ts';

function plugin(id: string, folder = `/plugins/${id}`): LoadedPlugin {
  return {
    id,
    folder,
    entry: `${folder}/index.js`,
    manifest: manifest.parse({ ...toolManifest, id }),
    overridden: [],
    enabled: true,
    autostart: true,
    config: {},
    notes: [],
  };
}

function refusal(run: () => unknown): HostError {
  try {
    run();
  } catch (error) {
    if (error instanceof HostError) return error;
    throw error;
  }
  return assert.fail('nothing was refused');
}

test('plugins are listed in the order of loading and found by id until they are removed', () => {
  const catalog = new Catalog({ maxPlugins: 10 });
  catalog.add(plugin('b'));
  catalog.add(plugin('a'));
  assert.deepEqual(
    catalog.list().map(({ id }) => id),
    ['b', 'a'],
  );
  assert.equal(catalog.get('a').id, 'a');
  assert.equal(catalog.remove('b').id, 'b');
  assert.deepEqual([catalog.size, catalog.has('b')], [1, false]);
});

test('an id that is loaded is refused with the folder it came from', () => {
  const catalog = new Catalog({ maxPlugins: 10 });
  catalog.add(plugin('a', '/one'));
  const error = refusal(() => catalog.add(plugin('a', '/two')));
  assert.equal(error.code, 'plugin_already_loaded');
  assert.deepEqual(error.details, { plugin: 'a', path: '/one' });
});

test('an id that is not loaded is refused with the nearest that is', () => {
  const catalog = new Catalog({ maxPlugins: 10 });
  catalog.add(plugin('example.greeter'));
  for (const look of [() => catalog.get('example.greter'), () => catalog.remove('example.greter')]) {
    const error = refusal(look);
    assert.equal(error.code, 'plugin_not_found');
    assert.deepEqual(error.details, { plugin: 'example.greter', nearest: 'example.greeter' });
  }
  assert.deepEqual(refusal(() => catalog.get('something')).details, { plugin: 'something' });
  assert.equal(refusal(() => catalog.get('__proto__')).code, 'plugin_not_found');
});

test('a full catalog names its limit', () => {
  const catalog = new Catalog({ maxPlugins: 1 });
  catalog.add(plugin('a'));
  const error = refusal(() => catalog.add(plugin('b')));
  assert.equal(error.code, 'limit_too_large');
  assert.deepEqual(error.details, { limit: 'limits.plugins', maximum: 1 });
});

test('refused plugins are kept one a path, bounded, until their folder loads', () => {
  const catalog = new Catalog({ maxPlugins: 1000 });
  const fault = new HostError('plugin_invalid', 'not valid', {
    path: '/a',
    issues: [{ path: 'id', message: 'wrong' }],
  });
  catalog.noteInvalid(invalidPlugin('/a', new Error('first')));
  catalog.noteInvalid(invalidPlugin('/a', fault));
  assert.deepEqual(catalog.invalid, [{ path: '/a', issues: [{ path: 'id', message: 'wrong' }] }]);
  catalog.add(plugin('a', '/a'));
  assert.equal(catalog.invalid.length, 0);
  for (let at = 0; at < 400; at += 1) catalog.noteInvalid(invalidPlugin(`/many/${String(at)}`, fault));
  assert.equal(catalog.invalid.length, 256);
  assert.equal(catalog.invalid.at(-1)?.path, '/many/399');
});
