// What was measured, and on what: figures without it mean nothing to anybody else.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { root } from './place.ts';

export interface Machine {
  readonly at: string;
  readonly commit: string;
  readonly node: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Of the last minute, before the first row: more than nothing means that others were at work too. */
  readonly loadBefore: number;
  readonly packages: Readonly<Record<string, string>>;
}

const compared = ['comlink', 'piscina', 'tinypool', 'workerpool', 'fastify', 'zod'] as const;

function versionOf(file: string): string {
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
  return version ?? 'unknown';
}

function commitOf(): string {
  const git = (...args: string[]): string =>
    spawnSync('git', ['--no-optional-locks', ...args], { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  const commit = git('rev-parse', '--short', 'HEAD');
  if (commit === '') return 'unknown';
  return git('status', '--porcelain', '--', 'protocol', 'workers', 'daemon', 'package.json') === ''
    ? commit
    : `${commit} with changes`;
}

export function machine(): Machine {
  return {
    at: new Date().toISOString(),
    commit: commitOf(),
    node: process.versions.node,
    system: `${type()} ${release()} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    packages: {
      nagaya: versionOf(join(root, 'package.json')),
      ...Object.fromEntries(
        compared.map((name) => [name, versionOf(join(root, 'node_modules', name, 'package.json'))]),
      ),
    },
  };
}
