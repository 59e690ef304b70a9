// Loads a configuration as the daemon would, in a world that holds nothing but what a test put there.
import assert from 'node:assert/strict';
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from '../../daemon/config/load.ts';
import { HostError, type Issue } from '../../protocol/errors.ts';

export function load(home: string, options: LoadConfigOptions = {}): Promise<LoadedConfig> {
  return loadConfig({ cwd: home, env: { HOME: home }, ...options });
}

export async function issuesOfLoading(home: string, options: LoadConfigOptions = {}): Promise<readonly Issue[]> {
  try {
    await load(home, options);
  } catch (error) {
    assert(error instanceof HostError, String(error));
    assert.equal(error.code, 'config_invalid');
    assert.equal(typeof error.details['path'], 'string');
    return error.details['issues'] as Issue[];
  }
  return assert.fail('the configuration was not refused');
}
