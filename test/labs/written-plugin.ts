// A plugin that a test writes itself: a manifest with what the test names, and files by their names.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface WrittenPlugin {
  /** Its id is `test.written` where the manifest names none. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
}

/** Answers the folder. What an earlier call wrote there is overwritten. */
export function writePlugin(folder: string, { manifest = {}, files }: WrittenPlugin): string {
  const whole = {
    schemaVersion: 1,
    id: 'test.written',
    name: 'Written',
    version: '1.0.0',
    entry: './index.js',
    ...manifest,
  };
  for (const [name, text] of Object.entries({
    'plugin.json': JSON.stringify(whole),
    'package.json': '{"type":"module"}',
    ...files,
  })) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return folder;
}
