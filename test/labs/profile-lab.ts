// Workers' programs in real cells, in a real host without a control socket: what the tests of profiles stand on.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { config as configSchema } from '../../daemon/config/schema.ts';
import { Host } from '../../daemon/host/host.ts';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import type { HistoryItem, Program, ProgramEnd } from '../../daemon/runtimes/programs/program.ts';
import { createDaemonLog } from '../../daemon/telemetry/daemon-log.ts';
import { Feed } from '../../daemon/telemetry/feed.ts';
import { noMcp } from './no-mcp.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const labFolder = fileURLToPath(new URL('../fixtures/profiles/lab', import.meta.url));
export const labId = 'test.profiles';

export interface Running {
  /** What was said so far. */
  readonly pieces: string[];
  readonly text: () => string;
  readonly ended: Promise<ProgramEnd>;
  /** Resolves when it has said this. */
  said(text: string): Promise<void>;
}

export interface LabWorker {
  readonly program: Program;
  begin(order: unknown, history?: readonly HistoryItem[]): Running;
  /** What its inputs have kept, as the worker has it. */
  state(): unknown;
  /** Its end, and all that it said. */
  run(
    order: unknown,
    history?: readonly HistoryItem[],
  ): Promise<ProgramEnd & { readonly text: string; readonly pieces: readonly string[] }>;
}

export interface ProfileLab {
  readonly host: Host;
  /** Of the lab's profile where no other is named. */
  worker(profile?: string): LabWorker;
}

export interface LabSetting {
  readonly folders?: readonly string[];
  /** Of the lab plugin. */
  readonly override?: Record<string, unknown>;
  /** `plugins.overrides`, of others too. */
  readonly overrides?: Record<string, Record<string, unknown>>;
  readonly limits?: Record<string, unknown>;
  readonly env?: Record<string, string>;
}

export async function profileLab(
  t: TestContext,
  { folders = [labFolder], override = {}, overrides = {}, limits = {}, env = {} }: LabSetting = {},
): Promise<ProfileLab> {
  const folder = await temporaryFolder(t);
  const config = configSchema.parse({ plugins: { overrides: { [labId]: override, ...overrides } }, limits });
  const { logger } = createDaemonLog({ level: 'silent', pretty: false, limits: config.limits });
  const stateFolder = join(folder, 'state');
  const store = new Store({
    stateFolder,
    version: '0.0.0',
    limits: config.limits,
    clock: realClock,
    tell: () => undefined,
  });
  const host = new Host({
    config,
    version: '0.0.0',
    store,
    stateFolder,
    clock: realClock,
    feed: new Feed(),
    log: logger,
    env,
    mcp: { gateway: noMcp, toolsChanged: () => undefined, passOn: () => false },
  });
  t.after(async () => {
    await host.shutdown(10_000);
    await store.close(10_000);
  });
  for (const plugin of folders) await host.load(plugin, false);
  let workers = 0;
  return {
    host,
    worker(name = `${labId}:lab`) {
      const profile = host.profiles.find(name);
      if (profile === undefined) throw new Error(`no profile ${name}`);
      workers += 1;
      return workerOf(profile.open({ runtimeId: 'test-runtime', workerId: `worker-${String(workers)}` }));
    },
  };
}

let events = 0;

function workerOf(program: Program): LabWorker {
  const kept = new KeptState();
  const begin = (order: unknown, history: readonly HistoryItem[] = []): Running => {
    events += 1;
    const pieces: string[] = [];
    const waiting = new Set<() => void>();
    const content = typeof order === 'string' ? order : JSON.stringify(order);
    const input = { eventId: `event-${String(events)}`, kind: 'user', content, history } as const;
    const state = (): string | undefined => (kept.size === 0 ? undefined : kept.text());
    const say = (text: string): void => {
      pieces.push(text);
      for (const look of waiting) look();
    };
    const ended = program.run({ ...input, createdAt: new Date().toISOString(), state }, say).then((end) => {
      if (end.kind === 'done') kept.write(end.state ?? []);
      return end;
    });
    return {
      pieces,
      text: () => pieces.join(''),
      ended,
      said: (text) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(
            () => reject(new Error(`it did not say "${text}" but "${pieces.join('')}"`)),
            20_000,
          );
          const look = (): void => {
            if (!pieces.join('').includes(text)) return;
            clearTimeout(timer);
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
          look();
        }),
    };
  };
  return {
    program,
    begin,
    state: () => JSON.parse(kept.text()) as unknown,
    async run(order, history) {
      const running = begin(order, history);
      const end = await running.ended;
      return { ...end, text: running.text(), pieces: running.pieces };
    },
  };
}
