// The port for browsers on a real socket, in front of real runtimes whose programs live in the test.
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import type { TestContext } from 'node:test';
import type { Clock } from '../../daemon/time/clock.ts';
import { http } from '../../daemon/config/http.ts';
import type { Limits } from '../../daemon/config/schema.ts';
import { BrowserServer } from '../../daemon/control/browser/browser-server.ts';
import { HalfLines } from '../../daemon/control/half-lines.ts';
import { tokenFile } from '../../daemon/control/browser/tokens.ts';
import type { Handlers } from '../../daemon/operations/caller.ts';
import { runtimeHandlers } from '../../daemon/operations/runtime.ts';
import { workerHandlers } from '../../daemon/operations/worker.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { Feed } from '../../daemon/telemetry/feed.ts';
import { allHandlers, noReports } from './control-lab.ts';
import { type HttpAnswer, type HttpAsk, ask } from './http-client.ts';
import { noMcp } from './no-mcp.ts';
import { type RuntimeLab, runtimeLab } from './runtime-lab.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface BrowserLabOptions {
  /** What its section of the configuration holds beside the port. */
  readonly http?: Record<string, unknown>;
  readonly limits?: Partial<Limits>;
  readonly handlers?: Partial<Handlers>;
  readonly clock?: Clock;
  readonly stateFolder?: string;
  shuttingDown?(): boolean;
}

export interface BrowserLab extends RuntimeLab {
  readonly server: BrowserServer;
  readonly place: { readonly host: string; readonly port: number };
  readonly stateFolder: string;
  readonly token: string;
  readonly readToken: string;
  readonly metricsToken: string;
  /** Every line that went to the log. */
  readonly told: { readonly fields: object; readonly message: string }[];
  /** With the token, where no other credentials are given. */
  ask(method: string, path: string, asked?: HttpAsk): Promise<HttpAnswer>;
  /** Signed in by a link: the cookie as the browser sends it back. */
  signIn(readOnly?: boolean): Promise<string>;
}

export const runtimePath = '/api/runtimes/backend-internal';

export async function startBrowserLab(t: TestContext, options: BrowserLabOptions = {}): Promise<BrowserLab> {
  const lab = runtimeLab({ ...(options.limits === undefined ? {} : { limits: options.limits }) });
  const stateFolder = options.stateFolder ?? (await temporaryFolder(t));
  const told: BrowserLab['told'] = [];
  const log = (fields: object, message: string): void => void told.push({ fields, message });
  const server = new BrowserServer({
    config: http.parse({ port: 0, ...options.http }),
    handlers: allHandlers({ ...runtimeHandlers(lab.registry), ...workerHandlers(lab.registry), ...options.handlers }),
    limits: lab.limits,
    feed: new Feed(),
    log: { info: log, warn: log, error: log },
    halfLines: new HalfLines(lab.limits.halfLineBytes),
    clock: options.clock ?? realClock,
    stateFolder,
    reports: noReports,
    version: '1.2.3',
    mcp: noMcp(),
    shuttingDown: () => options.shuttingDown?.() ?? false,
  });
  await server.listen();
  t.after(() => server.close(500));
  const address = server.status()?.address ?? '';
  const place = { host: '127.0.0.1', port: Number(address.split(':').at(-1)) };
  const kept = JSON.parse(await readFile(tokenFile(stateFolder), 'utf8')) as {
    token: string;
    readToken: string;
    metricsToken: string;
  };
  return {
    ...lab,
    server,
    place,
    stateFolder,
    ...kept,
    told,
    ask(method, path, asked = {}) {
      const given = Object.keys(asked.headers ?? {});
      const authorization: Record<string, string> =
        given.includes('cookie') || given.includes('authorization') ? {} : { authorization: `Bearer ${kept.token}` };
      return ask(place, method, path, { ...asked, headers: { ...authorization, ...asked.headers } });
    },
    async signIn(readOnly = false) {
      const { headers } = await ask(place, 'GET', new URL(server.link(readOnly).url).pathname);
      return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    },
  };
}

export interface StreamedEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

export interface Stream {
  readonly response: IncomingMessage;
  readonly ended: Promise<void>;
  /** As a browser's EventSource would have read it by now. */
  events(): StreamedEvent[];
}

/** The answer to a GET that goes on. */
export async function openStream(
  t: TestContext,
  place: { host: string; port: number } | string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Stream> {
  const where = typeof place === 'string' ? { socketPath: place } : place;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(
      { ...where, path, agent: false, headers: { accept: 'text/event-stream', ...headers } },
      resolve,
    );
    outgoing.on('error', reject).end();
    t.after(() => outgoing.destroy());
  });
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  response.on('error', () => {}); // a cut is seen by the end
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  return { response, ended, events: () => readEvents(text) };
}

function readEvents(text: string): StreamedEvent[] {
  const blocks = text.split('\n\n').slice(0, -1);
  const fields = blocks.map(
    (block) =>
      new Map(
        block
          .split('\n')
          .filter((line) => !line.startsWith(':'))
          .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      ),
  );
  return fields
    .filter((each) => each.has('data'))
    .map((each) => ({
      id: each.get('id'),
      event: each.get('event') ?? '',
      data: JSON.parse(each.get('data') ?? '') as Record<string, unknown>,
    }));
}
