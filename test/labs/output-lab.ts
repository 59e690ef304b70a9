// A daemon with plugins that send to each other: what the tests of outputs share.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import type { OutputStatus } from '../../protocol/operations/output.ts';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';
import { writePlugin } from './written-plugin.ts';

/** What its handler is told to do stands in the payload: what to send, and whether to throw. */
const senderCode = `
export const service = {
  start() {},
  handleIngress({ payload, kind, attempt }, ctx) {
    if (kind === 'answer') {
      ctx.state.set('answers', [...(ctx.state.get('answers') ?? []), payload]);
      return null;
    }
    try {
      return (payload.send ?? []).map(([output, body, options]) => ctx.send(output, body, options));
    } catch (error) {
      return { code: error.code ?? null, message: error.message };
    } finally {
      if (payload.throws >= attempt) throw new Error('planned');
    }
  },
};
export const tools = { double: (input) => { if (input.n < 0) throw new Error('negative'); return { doubled: input.n * 2 }; } };
`;
const receiverCode = `
export const service = {
  start() {},
  handleIngress({ payload, source, correlationId }, ctx) {
    ctx.state.set('got', [...(ctx.state.get('got') ?? []), payload]);
    ctx.state.set('last', { source, correlationId });
  },
};
`;
const circleCode = `
export const service = {
  start() {},
  handleIngress({ payload }, ctx) {
    ctx.state.set('rounds', (ctx.state.get('rounds') ?? 0) + 1);
    ctx.send('again', payload);
  },
};
`;

export const sender = 'test.sender';
export const receiver = 'test.receiver';
export const circle = 'test.circle';

const ingresses = [{ name: 'in', kinds: ['do', 'answer'] }];
const retry = { maxAttempts: 3, backoffMs: [1, 10] };

export interface OutputLabOptions extends Omit<TestDaemonOptions, 'plugins'> {
  readonly isolation?: 'thread' | 'process';
  readonly outputs?: readonly object[];
  /** Of the plugin that sends. */
  readonly sources?: readonly object[];
  /** Folders of other plugins. */
  readonly more?: readonly string[];
  readonly without?: readonly string[];
}

export interface OutputLab {
  readonly daemon: TestDaemon;
  readonly client: Client;
  readonly folders: { readonly sender: string; readonly receiver: string };
  /** Answers what the handler returned: the ids of the commands, or the error of `ctx.send`. */
  send(...commands: readonly unknown[]): Promise<unknown>;
  publish(payload: object): Promise<{ eventId: string; correlationId: string }>;
  state(plugin: string): Promise<Record<string, unknown>>;
  output(name: string): Promise<OutputStatus>;
}

export const usualOutputs = [
  { name: 'next', type: 'event', plugin: receiver, ingress: 'in', kind: 'do' },
  { name: 'words', type: 'tool', plugin: sender, tool: 'double', answer: { ingress: 'in', kind: 'answer' } },
] as const;

export async function outputLab(t: TestContext, options: OutputLabOptions = {}): Promise<OutputLab> {
  const {
    isolation = 'thread',
    outputs = usualOutputs,
    sources = [],
    more = [],
    without = [],
    ...daemonOptions
  } = options;
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-outputs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (id: string, code: string, more: object): string =>
    writePlugin(join(folder, id), {
      manifest: { id, isolation, service: { ingresses, retry, outputs: [], ...more }, ...(id === sender ? tools : {}) },
      files: { 'index.js': code },
    });
  const folders = {
    sender: write(sender, senderCode, { outputs, sources }),
    receiver: write(receiver, receiverCode, {}),
  };
  const circling = write(circle, circleCode, {
    outputs: [{ name: 'again', type: 'event', plugin: circle, ingress: 'in', kind: 'do' }],
  });
  const plugins = [folders.sender, folders.receiver, circling].filter((one) => !without.some((id) => one.endsWith(id)));
  const daemon = await startTestDaemon(t, { plugins: [...plugins, ...more], ...daemonOptions });
  const client = await daemon.connect();
  const event = (payload: object): { ingress: string; kind: string; payload: object } => ({
    ingress: 'in',
    kind: 'do',
    payload,
  });
  return {
    daemon,
    client,
    folders,
    send: async (...commands) =>
      (await client.call('ingress.deliver', { plugin: sender, event: event({ send: commands }) })).output,
    publish: async (payload) => {
      const answer = await client.call('ingress.publish', { plugin: sender, event: event(payload) });
      if ('results' in answer) throw new TypeError('one event was answered as a batch');
      return answer;
    },
    state: async (plugin) => (await client.call('service.state', { plugin })).state,
    output: async (name) => (await client.call('output.show', { plugin: sender, output: name })).output,
  };
}

const tools = { tools: [{ name: 'double', inputSchema: { type: 'object' }, outputSchema: {} }] };
