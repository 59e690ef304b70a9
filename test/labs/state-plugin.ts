// A plugin that keeps things in ctx.state, and a daemon with it: what the tests of ctx.state share.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';
import { writePlugin } from './written-plugin.ts';

export const counter = 'test.counter';

const code = (start: string): string => `
let own;
let late;
export const service = {
  start(ctx) {
    own = ctx;
    ${start}
  },
  async handleIngress({ payload, eventId, attempt }, ctx) {
    const { do: what, key = 'count', value } = payload;
    if (late !== undefined && what === 'late') {
      try { late.set('late', true); return 'written'; } catch (error) { return error.message; }
    }
    switch (what) {
      case 'add':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        return ctx.state.get('count');
      case 'addThrow':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        throw new Error('planned');
      case 'addOnce':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        if (attempt === 1) throw new Error('planned');
        return ctx.state.get('count');
      case 'addExit':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        if (attempt === 1) process.exit(3);
        return ctx.state.get('count');
      case 'addHang':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        if (attempt === 1) for (;;);
        return ctx.state.get('count');
      case 'addExitAfter': {
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        if (attempt > 1) return ctx.state.get('count');
        // So many microtasks after the handler has returned, or a turn later.
        let later = Promise.resolve();
        for (let steps = 0; steps < payload.steps; steps += 1) later = later.then(() => undefined);
        if (payload.steps < 0) setImmediate(() => process.exit(3));
        else void later.then(() => process.exit(3));
        return null;
      }
      case 'addUnanswerable':
        ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
        return 1n;
      case 'set': ctx.state.set(key, value); return null;
      case 'trySet':
        try { ctx.state.set(key, value); return 'set'; } catch (error) { return { code: error.code ?? null, message: error.message }; }
      case 'big':
        try { ctx.state.set(key, 'x'.repeat(value)); return 'set'; } catch (error) { return { code: error.code ?? null, message: error.message }; }
      case 'delete': return ctx.state.delete(key);
      case 'get': return ctx.state.get(key) ?? null;
      case 'keys': return ctx.state.keys();
      case 'mutate': { const held = ctx.state.get(key); held.changed = true; return ctx.state.get(key); }
      case 'hold': late = ctx.state; return null;
      case 'own':
        try { own.state.set('own', true); return 'written'; } catch (error) { return error.message; }
      default: return null;
    }
  },
  stop(ctx) {
    try { ctx.state.set('stopped', true); } catch (error) { ctx.log.info('stop: ' + error.message); }
  },
};
`;

export interface PluginFolder {
  readonly folder: string;
  rewrite(start: string): void;
}

export function counterPlugin(
  t: TestContext,
  manifest: { readonly isolation?: string; readonly service?: object } = {},
  start = '',
): PluginFolder {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-state-plugin-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const rewrite = (text: string): void => {
    writePlugin(folder, {
      manifest: {
        id: counter,
        ...manifest,
        service: {
          ingresses: [{ name: 'in', kinds: ['do'] }],
          restart: { policy: 'on-failure', intensity: 100, periodMs: 1000, backoffMs: [0, 10] },
          retry: { maxAttempts: 3, backoffMs: [1, 10] },
          timeouts: { handleMs: 300 },
          ...('service' in manifest ? manifest.service : {}),
        },
      },
      files: { 'index.js': code(text) },
    });
  };
  rewrite(start);
  return { folder, rewrite };
}

export interface StateDaemon {
  readonly daemon: TestDaemon;
  readonly client: Client;
  deliver(payload: object): Promise<unknown>;
  publish(...payloads: object[]): Promise<void>;
  state(): Promise<Record<string, unknown>>;
}

export async function stateDaemon(
  t: TestContext,
  plugin: string,
  options: TestDaemonOptions = {},
): Promise<StateDaemon> {
  const daemon = await startTestDaemon(t, { plugins: [plugin], ...options });
  const client = await daemon.connect();
  const event = (payload: object): { ingress: string; kind: string; payload: object } => ({
    ingress: 'in',
    kind: 'do',
    payload,
  });
  return {
    daemon,
    client,
    deliver: async (payload) =>
      (await client.call('ingress.deliver', { plugin: counter, event: event(payload) })).output,
    publish: async (...payloads) =>
      void (await client.call('ingress.publish', { plugin: counter, events: payloads.map(event), wait: true })),
    state: async () => (await client.call('service.state', { plugin: counter })).state,
  };
}
