// An MCP client without any SDK, which writes and reads lines: what it hears is what the daemon has said, word for
// word.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, createConnection } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import type { McpLab } from './mcp-lab.ts';
import { until } from './until.ts';

const patienceMs = 60_000;

export interface LineAnswer {
  readonly id?: unknown;
  readonly method?: string;
  readonly error?: { readonly code: number; readonly message: string };
  readonly result?: {
    readonly content?: readonly { readonly text: string }[];
    readonly structuredContent?: unknown;
    readonly isError?: boolean;
  };
}

export interface LineClient {
  /** The answers by their ids; the newest notification has none. */
  readonly heard: ReadonlyMap<unknown, LineAnswer>;
  say(...messages: object[]): void;
}

export interface Relay extends LineClient {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
}

export const toolCall = (id: unknown, name: string, args: object = {}): object => ({
  id,
  method: 'tools/call',
  params: { name: name.includes('__') ? name : `test_mcp__${name}`, arguments: args },
});

export const linesOf = (messages: readonly object[]): string =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');

/** Begins a session of the older protocol. */
async function speak(input: Readable, output: Writable): Promise<LineClient> {
  const heard = new Map<unknown, LineAnswer>();
  let rest = '';
  input.setEncoding('utf8').on('data', (text: string) => {
    const whole = (rest + text).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) {
      const answer = JSON.parse(line) as LineAnswer;
      assert.ok(answer.id === undefined || !heard.has(answer.id), `${String(answer.id)} has one answer`);
      heard.set(answer.id, answer);
    }
  });
  const say = (...messages: object[]): void => void output.write(linesOf(messages));
  const clientInfo = { name: 'test', version: '1' };
  say({ id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  await until('the session has begun', () => heard.has(0), patienceMs);
  say({ method: 'notifications/initialized' });
  return { heard, say };
}

/** Straight to the socket of the daemon. */
export async function connectLines(
  t: TestContext,
  { daemon }: Pick<McpLab, 'daemon'>,
): Promise<LineClient & { readonly socket: Socket }> {
  const socket = createConnection(daemon.socket);
  t.after(() => socket.destroy());
  socket.write('!mcp\n');
  return { socket, ...(await speak(socket, socket)) };
}

/** By way of `nagaya mcp`. */
export async function startRelay(t: TestContext, { stdio }: McpLab): Promise<Relay> {
  const child = spawn(stdio.command, stdio.args, { stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined); // it has ended
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return { child, ended, ...(await speak(child.stdout, child.stdin)) };
}

/** Calls until the relay has a connection for them; the first ones go the long way. */
export async function untilItCalls({ say, heard }: LineClient, control: Client): Promise<void> {
  const before = (await control.call('daemon.status', {})).counts.connections;
  let calls = 0;
  await until(
    'the relay makes calls itself',
    async () => {
      const id = `warm-${String((calls += 1))}`;
      say(toolCall(id, 'echo'));
      await until('it is answered', () => heard.has(id), patienceMs);
      return (await control.call('daemon.status', {})).counts.connections > before;
    },
    patienceMs,
  );
  // What was on its way while it connected has gone the long way.
  say(toolCall('warm', 'echo'));
  await until('it is answered', () => heard.has('warm'), patienceMs);
}
