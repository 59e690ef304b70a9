// A daemon with a plugin that declares webhooks, and what sends to them.
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';
import { writePlugin } from './written-plugin.ts';
import { untilAnswer } from './until.ts';

export const secret = 'a-secret-of-the-test';

/** Counts what it handles, and waits where a payload says so. */
export const countingService = `
const handled = [];
export const service = {
  start() {},
  async handleIngress(event, ctx) {
    const body = event.payload.body;
    if (body?.waitMs) await new Promise((resolve) => setTimeout(resolve, body.waitMs));
    if (body?.fail) throw new Error('told to fail');
    handled.push(event);
    return { kind: event.kind, source: event.source, payload: event.payload, correlationId: event.correlationId };
  },
  status: () => ({ handled: handled.length, env: process.env, newest: handled.at(-1) ?? null }),
};
`;

export const githubSource = {
  name: 'github',
  type: 'webhook',
  ingress: 'pushes',
  kind: 'push',
  verify: { scheme: 'github', secretEnv: ['GITHUB_SECRET', 'GITHUB_SECRET_OLD'] },
  kindFrom: { header: 'x-github-event' },
  idFrom: { header: 'x-github-delivery' },
  answer: 'accepted',
};

export interface WebhookLab {
  readonly daemon: TestDaemon;
  readonly client: Client;
  readonly folder: string;
  url(source: string): Promise<string>;
  source(name: string): Promise<SourceStatus>;
  handled(): Promise<number>;
}

export interface WebhookLabOptions extends TestDaemonOptions {
  readonly sources: readonly object[];
  readonly service?: object;
  readonly code?: string;
}

export const pluginId = 'test.hooks';

export async function webhookLab(t: TestContext, options: WebhookLabOptions): Promise<WebhookLab> {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-hooks-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeHooks(folder, options);
  const daemon = await startTestDaemon(t, {
    ...options,
    plugins: [folder],
    config: { webhooks: { port: 0 }, ...options.config },
    env: { GITHUB_SECRET: secret, ...options.env },
  });
  const client = await daemon.connect();
  const source = async (name: string): Promise<SourceStatus> => {
    const { sources } = await client.call('source.list', { plugin: pluginId });
    const found = sources.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no source ${name}`);
    return found;
  };
  return {
    daemon,
    client,
    folder,
    source,
    url: async (name) => {
      const { url } = await untilAnswer(
        'the answer fits',
        () => source(name),
        ({ url }) => url !== undefined,
      );
      return url ?? '';
    },
    handled: async () => {
      const status = await client.call('service.status', { plugin: pluginId, wait: true });
      return (status.reported?.value as { handled: number } | undefined)?.handled ?? 0;
    },
  };
}

export function writeHooks(folder: string, { sources, service, code = countingService }: WebhookLabOptions): void {
  writePlugin(folder, {
    manifest: {
      id: pluginId,
      service: { ingresses: [{ name: 'pushes', kinds: ['push', 'issues'] }], ...service, sources },
    },
    files: { 'index.js': code },
  });
}

export const githubHeaders = (
  body: string,
  more: Record<string, string> = {},
  key = secret,
): Record<string, string> => ({
  'content-type': 'application/json',
  'x-hub-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}`,
  'x-github-event': 'push',
  ...more,
});

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): Record<string, unknown>;
}

/** Each on a connection of its own. */
export function send(
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        });
      });
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
