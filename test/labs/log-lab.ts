// What the tests of logs share: a log in a folder of its own, messages as cells send them, and the lines of a file.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { LogMessage } from '../../protocol/cell/messages.ts';
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { PluginLog, type PluginLogOptions } from '../../daemon/telemetry/plugin-log.ts';
import { Redactor } from '../../daemon/telemetry/redactor.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const logLimits = { logLines: 1000, logFileBytes: 1024 * 1024, logFiles: 3 };

export function message(text: string, more: Partial<LogMessage> = {}): LogMessage {
  return { type: 'log', level: 'info', stream: 'log', text, at: Date.now(), ...more };
}

export interface LogLab {
  readonly log: PluginLog;
  readonly folder: string;
  readonly path: string;
  readonly told: LogLine[];
  readonly troubles: Error[];
}

export async function openPluginLog(
  context: TestContext,
  options: Partial<PluginLogOptions> & { readonly secrets?: readonly string[] } = {},
): Promise<LogLab> {
  const folder = options.folder ?? join(await temporaryFolder(context), 'state', 'logs');
  const told: LogLine[] = [];
  const troubles: Error[] = [];
  const log = new PluginLog({
    pluginId: 'example.greeter',
    folder,
    limits: logLimits,
    redactor: new Redactor(options.secrets ?? []),
    onLine: (line) => told.push(line),
    onTrouble: (error) => troubles.push(error),
    ...options,
  });
  context.after(() => log.close());
  return { log, folder, path: join(folder, 'example.greeter.ndjson'), told, troubles };
}

/** Every line must be whole: what is not JSON fails the test that reads it. */
export async function fileLines(path: string): Promise<LogLine[]> {
  const text = await readFile(path, 'utf8');
  return text
    .split('\n')
    .flatMap((line, index, all) => (line === '' && index === all.length - 1 ? [] : [JSON.parse(line) as LogLine]));
}
