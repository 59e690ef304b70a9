// A second build of the daemon, as an upgrade brings it: the compiled files with another version, and with another
// number for what members say to each other and write for each other.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

export interface OtherBuild {
  readonly version: string;
  /** What `startTestDaemon` takes as its command. */
  readonly command: string;
}

const hostFiles = (): string[] =>
  readdirSync(join(repository, 'dist/daemon/cli'))
    .filter((name) => /^part-.*\.js$/.test(name))
    .map((name) => `dist/daemon/cli/${name}`);

export function makeOtherBuild(folder: string, version: string, protocol: number): OtherBuild {
  mkdirSync(folder, { recursive: true });
  cpSync(join(repository, 'dist'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => !/\.(?:map|d\.ts)$/.test(path),
  });
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version }));
  // Each bundle has the number once; what is only compiled has it in one place.
  const files = ['dist/protocol/cluster/messages.js', 'dist/workers/cluster-thread.js', ...hostFiles()];
  const changed = files.filter((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const other = text.replace(/\bclusterProtocol\s*=\s*1\b/, `clusterProtocol=${String(protocol)}`);
    if (other !== text) writeFileSync(join(folder, file), other);
    return other !== text;
  });
  assert.ok(changed.includes('dist/protocol/cluster/messages.js'), 'the number is where the source has it');
  return { version, command: join(folder, 'dist/daemon/cli/nagaya.js') };
}
