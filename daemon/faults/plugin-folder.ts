// Writes the plugins of the kit where a daemon can load them: a manifest made for the trial, and the kit's own modules.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleOf } from './catalogue.ts';
import { crashingAddon } from './crashing-addon.ts';
import type { Fault, Place } from './fault.ts';

const fromSource = import.meta.url.endsWith('.ts');
/** Plugins are JavaScript as their authors write it: nothing of them is compiled. */
const modules = fileURLToPath(new URL(fromSource ? './plugins/' : '../../../daemon/faults/plugins/', import.meta.url));

export const deadlines = { startMs: 3000, slowStartMs: 15_000, handleMs: 500, stopMs: 1000, toolMs: 800 } as const;

/** A restart without much delay shows what a restart takes; an intensity that no trial reaches keeps it coming. */
const service = {
  ingresses: [{ name: 'kit', kinds: ['work', 'fault'] }],
  timeouts: { startMs: deadlines.startMs, handleMs: deadlines.handleMs, stopMs: deadlines.stopMs, statusMs: 500 },
  restart: { policy: 'on-failure', intensity: 1000, periodMs: 60_000, backoffMs: [10, 50] },
  retry: { maxAttempts: 1 },
} as const;

const base = { schemaVersion: 1, version: '1.0.0', entry: './index.js', limits: { heapMb: 64, rssMb: 256 } } as const;

function write(folder: string, manifest: object, entry: string, name = 'index.js'): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  copyFileSync(join(modules, entry), join(folder, name));
  return folder;
}

export const neighbourId = 'kit.neighbour';

export const writeNeighbour = (folder: string): string =>
  write(
    join(folder, 'neighbour'),
    {
      ...base,
      id: neighbourId,
      name: 'Neighbour',
      service: { ...service, timeouts: { ...service.timeouts, handleMs: 30_000 } },
    },
    'neighbour.js',
  );

export const pluginIdOf = ({ id }: Fault): string => `fault.${id}`;

/** Of the handler or the call that commits it. */
export const deadlineOf = ({ deadlineMs }: Fault, subject: Place['subject']): number =>
  deadlineMs ?? (subject === 'service' ? deadlines.handleMs : deadlines.toolMs);

/** Only what is to be late has little time: a process starts slowly on a machine that has much else to do. */
export const serverStartMs = ({ atImport, answers }: Fault): number =>
  atImport === true && answers.includes('timeout') ? deadlines.startMs : deadlines.slowStartMs;

function writeServer(folder: string, fault: Fault): string {
  const callMs = deadlineOf(fault, 'server');
  const startMs = serverStartMs(fault);
  const { stopMs } = deadlines;
  return write(
    join(folder, fault.id),
    {
      schemaVersion: 1,
      version: '1.0.0',
      id: pluginIdOf(fault),
      name: fault.id,
      limits: { rssMb: 256, descriptors: 400 },
      mcp: {
        command: process.execPath,
        args: ['./server.js', fault.id],
        timeouts: { startMs, callMs, mostMs: callMs, stopMs },
        restart: service.restart,
      },
    },
    'server.js',
    'server.js',
  );
}

export function writeFaulty(folder: string, fault: Fault, place: Place): string {
  if (place.subject === 'server') {
    const target = writeServer(folder, fault);
    writeModule(target, { ...fault, group: 'server' });
    return target;
  }
  const { isolation } = place;
  const { pipes = 0, permissions } = fault;
  const part =
    place.subject === 'service'
      ? {
          isolation,
          service: { ...service, timeouts: { ...service.timeouts, handleMs: deadlineOf(fault, place.subject) } },
        }
      : {
          tools: [
            { name: 'work', isolation, timeoutMs: 5000 },
            { name: 'fault', isolation, timeoutMs: deadlineOf(fault, place.subject) },
          ],
        };
  const target = write(
    join(folder, fault.id),
    { ...base, id: pluginIdOf(fault), name: fault.id, ...(permissions === undefined ? {} : { permissions }), ...part },
    'entry.js',
  );
  writeModule(target, fault);
  if (fault.id === 'native-segfault') writeFileSync(join(target, 'addon.node'), crashingAddon() ?? '');
  for (let at = 0; at < pipes; at += 1) spawnSync('mkfifo', [join(target, `${String(at)}.fifo`)]);
  return target;
}

function writeModule(target: string, fault: Fault): void {
  const { source } = fault;
  if (source === null) return;
  if (source === undefined) copyFileSync(join(modules, moduleOf(fault)), join(target, 'fault.js'));
  else writeFileSync(join(target, 'fault.js'), source);
}

/** What an author does who has found the fault: from here on the plugin can be imported. */
export function repair(target: string): void {
  writeFileSync(join(target, 'fault.js'), 'export const deeds = {};\n');
}
