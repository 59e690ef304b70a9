// The plan of a service whose cell is simulated: a manifest with the given section, and nothing on disk.
import assert from 'node:assert/strict';
import { manifest } from '../../protocol/manifest.ts';
import type { LoadedPlugin } from '../../daemon/plugins/plugin.ts';

export function simulatedPlan(service: object) {
  const read = manifest.parse({
    schemaVersion: 1,
    id: 'sim',
    name: 'Sim',
    version: '1.0.0',
    entry: './index.js',
    service: { ingresses: [{ name: 'in', kinds: ['do'] }], ...service },
  });
  const plugin: LoadedPlugin = {
    id: 'sim',
    folder: '/',
    entry: '/index.js',
    manifest: read,
    overridden: [],
    enabled: true,
    autostart: true,
    config: {},
    notes: [],
  };
  assert.ok(read.service !== undefined);
  return { plugin, section: read.service, env: {}, entryUrl: 'file:///index.js' };
}
