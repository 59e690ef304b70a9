// A manifest with nothing but what it must have, and the reading of one that is expected to be refused.
import assert from 'node:assert/strict';
import type { PluginOverride } from '../../daemon/config/schema.ts';
import { readPlugin } from '../../daemon/plugins/manifest-file.ts';
import type { LoadedPlugin } from '../../daemon/plugins/plugin.ts';
import { HostError, type Issue } from '../../protocol/errors.ts';

export const toolManifest = {
  schemaVersion: 1,
  id: 'example.tool',
  name: 'Tool',
  version: '1.0.0',
  entry: './index.js',
  tools: [{ name: 'greet' }],
};

export const serviceManifest = {
  schemaVersion: 1,
  id: 'example.service',
  name: 'Service',
  version: '1.0.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'messages', kinds: ['text'] }] },
};

export const manifestBytes = 64 * 1024;

export function read(folder: string, overrides: Record<string, PluginOverride> = {}): LoadedPlugin {
  return readPlugin(folder, { overrides, manifestBytes });
}

export function issuesOfReading(folder: string, overrides: Record<string, PluginOverride> = {}): readonly Issue[] {
  try {
    read(folder, overrides);
  } catch (error) {
    assert(error instanceof HostError, String(error));
    assert.equal(error.code, 'plugin_invalid');
    const { path, issues } = error.details as { path: string; issues: Issue[] };
    assert.equal(path, folder);
    assert(issues.length > 0);
    assert(error.message.includes(issues[0]?.message ?? ''), 'the message names the first fault');
    return issues;
  }
  return assert.fail('the plugin was not refused');
}
