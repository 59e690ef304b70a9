// The plugins that are measured: their code is in plugins/, their manifests are made here, as each row needs them.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Durability, Placement, ToolIsolation } from '../../protocol/manifest.ts';
import { ingress, kind } from './payload.ts';
import { root } from './place.ts';

export const serviceId = 'bench.service';
export const toolId = 'bench.tool';
export const toolName = 'amount';
export const unrulyId = 'bench.unruly';
export const senderId = 'bench.sender';
export const hook = 'shop';
export const hookSecret = { variable: 'BENCH_SECRET', value: 'the-secret-of-the-benchmarks' } as const;

export interface ServiceOptions {
  readonly id?: string;
  readonly code?: string;
  readonly capacity?: number;
  readonly handleMs?: number;
  readonly durability?: Durability;
  readonly maxBytes?: number;
  readonly sources?: readonly object[];
  readonly placement?: Placement;
}

/** A webhook whose signature is verified. */
export const webhook = {
  name: hook,
  type: 'webhook',
  ingress,
  kind,
  verify: { scheme: 'github', secretEnv: [hookSecret.variable] },
};

async function writePlugin(folder: string, id: string, code: string, parts: object): Promise<string> {
  const target = join(folder, id);
  await mkdir(target, { recursive: true });
  await copyFile(join(root, 'scripts', 'bench', 'plugins', `${code}.js`), join(target, 'index.js'));
  await writeFile(join(target, 'package.json'), '{ "type": "module" }\n');
  await writeFile(
    join(target, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id, name: id, version: '1.0.0', entry: './index.js', ...parts }),
  );
  return target;
}

/** Answers the plugin's folder. */
export function writeService(
  folder: string,
  {
    id = serviceId,
    code = 'service',
    capacity = 500_000,
    handleMs = 5000,
    durability = 'memory',
    maxBytes = 512 * 1024 * 1024,
    sources = [],
    placement = 'here',
  }: ServiceOptions = {},
): Promise<string> {
  return writePlugin(folder, id, code, {
    service: {
      ingresses: [{ name: ingress, kinds: [kind] }],
      sources,
      placement,
      // A publisher may outrun its service for the length of a round: the clock runs until the last event is handled.
      queue: { durability, capacity, maxBytes },
      timeouts: { handleMs },
      // Those that die are to come back at once and never to be given up.
      restart: { policy: 'on-failure', intensity: 1000, periodMs: 1000, backoffMs: [0, 0] },
      retry: { maxAttempts: 1 },
    },
  });
}

export function writeTool(folder: string, isolation: ToolIsolation): Promise<string> {
  return writePlugin(folder, toolId, 'tool', { tools: [{ name: toolName, isolation }] });
}

/** Each of its events sends `commandsEach` commands, each with a key of its own, to this URL. */
export function writeSender(folder: string, url: string): Promise<string> {
  return writePlugin(folder, senderId, 'sender', {
    service: { ingresses: [{ name: ingress, kinds: [kind] }], outputs: [{ name: 'out', type: 'http', url }] },
  });
}

export const commandsEach = 16;
