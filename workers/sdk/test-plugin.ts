// testPlugin: runs a plugin for a test as a daemon would, because it is one: a real daemon in a process of its own,
// with a socket and a state folder of its own, driven through the same client as everything else.
import { fileURLToPath } from 'node:url';
import { type Client, HostError, connect } from '../../protocol/client/client.ts';
import { issueText } from '../../protocol/errors.ts';
import type { IngressEventInput } from '../../protocol/event.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { TestDaemon, type TestPluginOptions } from './test-daemon.ts';
import { type WorkerUnderTest, makeWorker } from './test-worker.ts';

export type { TestPluginOptions } from './test-daemon.ts';

export interface EventFields {
  readonly ingress?: string;
  readonly kind?: string;
  readonly source?: string;
  readonly correlationId?: string;
  /** Only for deliver: how long to wait. */
  readonly timeoutMs?: number;
}

export interface EmitFields {
  /** Where the source finds it in what came; default: what the source declares. */
  readonly kind?: string;
  /** Of a webhook. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly correlationId?: string;
  readonly timeoutMs?: number;
}

/** A command that a handled event has sent to an output. */
export interface SentCommand {
  /** `<eventId>/<n>`. */
  readonly id: string;
  readonly output: string;
  readonly body: unknown;
  readonly eventId: string;
  readonly correlationId: string;
  readonly key?: string;
  readonly path?: string;
  readonly topic?: string;
}

export interface PluginUnderTest extends AsyncDisposable {
  readonly id: string;
  /** The daemon's control socket, for what has no method here. */
  readonly socket: string;
  /** Answers with the handler's output once the event was handled; rejects with the event's error. */
  deliver(eventOrPayload: unknown, fields?: EventFields): Promise<OperationResult<'ingress.deliver'>>;
  /** Answers once the event is queued. */
  publish(
    eventOrPayload: unknown,
    fields?: EventFields,
  ): Promise<{ readonly eventId: string; readonly correlationId: string; readonly queueDepth: number }>;
  /**
   * Feeds an event as the source of this name would, and answers with the handler's output. What is given stands where
   * the source puts it: in `payload.body` of a webhook, in `payload.data` of a websocket; for the other types it is the
   * payload. A schedule that is given nothing is due now.
   */
  emit(source: string, given?: unknown, fields?: EmitFields): Promise<OperationResult<'ingress.deliver'>>;
  /**
   * What handled events have sent by `ctx.send`, in order; of one output, or of all. Commands of a test are not
   * delivered, unless it was begun with `outputs: 'delivered'`: then only those are here that wait or have failed.
   */
  sent(output?: string): Promise<SentCommand[]>;
  call(tool: string, input?: unknown, options?: { readonly timeoutMs?: number }): Promise<OperationResult<'tool.call'>>;
  /** The service's status with the plugin's own, freshly asked, as `reported`. */
  status(): Promise<OperationResult<'service.status'>>;
  /** What the service keeps in ctx.state, as of the last event that was handled. */
  state(): Promise<OperationResult<'service.state'>['state']>;
  /** Makes a worker of this profile; without a name, of the only one that the plugin has. */
  worker(profile?: string): Promise<WorkerUnderTest>;
  /** The newest lines of the plugin's log. */
  logs(limit?: number): Promise<OperationResult<'log.read'>['lines']>;
  restart(): Promise<OperationResult<'service.restart'>>;
  close(): Promise<void>;
}

/** The daemon's own deadlines are shorter, unless the plugin's manifest asks for longer ones. */
const callMs = 10 * 60 * 1000;

/** `folder` holds plugin.json: a path or a file URL. Loads the plugin and starts its service, if it has one. */
export async function testPlugin(folder: string | URL, options: TestPluginOptions = {}): Promise<PluginUnderTest> {
  const path = folder instanceof URL || folder.startsWith('file:') ? fileURLToPath(folder) : folder;
  const daemon = await TestDaemon.start(path, options);
  let client: Client | undefined;
  try {
    client = await connect({ socket: daemon.socket, callMs });
    client.unref();
    const id = await loadedId(client);
    const { plugin, manifest } = await client.call('plugin.show', { plugin: id });
    if (plugin.hasService) await client.call('service.start', { plugin: id });
    return new RunningPlugin(id, daemon, client, declaredIn(manifest));
  } catch (error) {
    const told = await withLogs(error, client, daemon);
    await client?.close();
    await daemon.close();
    throw told;
  }
}

async function loadedId(client: Client): Promise<string> {
  const { plugins, invalid } = await client.call('plugin.list', {});
  const [plugin] = plugins;
  if (plugin !== undefined) return plugin.id;
  const [refused] = invalid;
  const issues = refused?.issues ?? [];
  const list = issues.map(issueText).join('; ');
  throw new HostError('plugin_invalid', `The plugin in ${refused?.path ?? 'the folder'} is not valid: ${list}`, {
    path: refused?.path,
    issues,
  });
}

const shownLines = 30;

/** A start that fails is told with what the plugin and the daemon had to say about it. */
async function withLogs(error: unknown, client: Client | undefined, daemon: TestDaemon): Promise<unknown> {
  if (!(error instanceof HostError)) return error;
  let lines: string[] = [];
  try {
    const { plugins } = client === undefined ? { plugins: [] } : await client.call('plugin.list', {});
    for (const { id } of plugins) {
      const read = await client?.call('log.read', { plugin: id, limit: shownLines });
      lines = (read?.lines ?? []).map(({ level, msg }) => `${level}: ${msg}`);
    }
  } catch {
    // The daemon is gone: its own log is what remains.
  }
  const parts = [
    error.message,
    ...section("The plugin's log", lines),
    ...section("The daemon's log", daemon.logTail(shownLines)),
  ];
  return new HostError(error.code, parts.join('\n'), error.details);
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];

interface DeclaredIngress {
  readonly name: string;
  readonly kinds: readonly string[];
}

interface DeclaredSource {
  readonly name: string;
  readonly type: string;
  readonly ingress: string;
  readonly kind?: string;
}

interface Declared {
  readonly ingresses: readonly DeclaredIngress[];
  readonly sources: readonly DeclaredSource[];
}

/** Manifests travel as loose JSON. */
function declaredIn(manifest: Readonly<Record<string, unknown>>): Declared {
  const { ingresses = [], sources = [] } = (manifest['service'] ?? {}) as Partial<Declared>;
  return { ingresses, sources };
}

/** As the daemon makes it for each type. */
function payloadOf({ type }: DeclaredSource, given: unknown, { headers, query }: EmitFields): unknown {
  if (type === 'webhook')
    return {
      body: given ?? null,
      ...(headers === undefined ? {} : { headers }),
      ...(query === undefined ? {} : { query }),
    };
  if (type === 'websocket') return { data: given ?? null };
  if (type !== 'schedule' || given !== undefined) return given ?? null;
  const now = new Date().toISOString();
  return { scheduledAt: now, firedAt: now, missed: false, manual: true };
}

/** Of each output. */
const mostShown = 1000;

type ShownCommand =
  OperationResult<'output.show'>['pending'][number] | OperationResult<'output.show'>['deadLetters'][number];

const sentCommand = (
  output: string,
  { id, body, eventId, correlationId, key, path, topic }: ShownCommand,
): SentCommand => ({
  id,
  output,
  body,
  eventId,
  correlationId,
  ...(key === null ? {} : { key }),
  ...(path === undefined ? {} : { path }),
  ...(topic === undefined ? {} : { topic }),
});

/** Ids of events sort by time, and the commands of one are numbered. */
function inOrder(one: SentCommand, other: SentCommand): number {
  if (one.eventId !== other.eventId) return one.eventId < other.eventId ? -1 : 1;
  return numberOf(one) - numberOf(other);
}

const numberOf = ({ id }: SentCommand): number => Number(id.slice(id.lastIndexOf('/') + 1));

const isEvent = (value: unknown): value is IngressEventInput =>
  typeof value === 'object' &&
  value !== null &&
  'ingress' in value &&
  'kind' in value &&
  typeof value.ingress === 'string' &&
  typeof value.kind === 'string';

class RunningPlugin implements PluginUnderTest {
  readonly id: string;
  readonly socket: string;
  readonly #daemon: TestDaemon;
  readonly #client: Client;
  readonly #ingresses: readonly DeclaredIngress[];
  readonly #sources: readonly DeclaredSource[];
  #closed: Promise<void> | undefined;

  constructor(id: string, daemon: TestDaemon, client: Client, { ingresses, sources }: Declared) {
    this.id = id;
    this.socket = daemon.socket;
    this.#daemon = daemon;
    this.#client = client;
    this.#ingresses = ingresses;
    this.#sources = sources;
  }

  async deliver(eventOrPayload: unknown, fields: EventFields = {}): Promise<OperationResult<'ingress.deliver'>> {
    const { timeoutMs } = fields;
    return await this.#client.call('ingress.deliver', {
      plugin: this.id,
      event: this.#event(eventOrPayload, fields),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  async publish(
    eventOrPayload: unknown,
    fields: EventFields = {},
  ): Promise<{ readonly eventId: string; readonly correlationId: string; readonly queueDepth: number }> {
    const answer = await this.#client.call('ingress.publish', {
      plugin: this.id,
      event: this.#event(eventOrPayload, fields),
    });
    if ('results' in answer) throw new TypeError('one event was answered as a batch');
    return answer;
  }

  async emit(source: string, given?: unknown, fields: EmitFields = {}): Promise<OperationResult<'ingress.deliver'>> {
    const declared = this.#sources.find(({ name }) => name === source);
    if (declared === undefined)
      throw new HostError('source_not_found', `The service declares no source "${source}".`, {
        sources: this.#sources.map(({ name }) => name),
      });
    const { kind = declared.kind, correlationId, timeoutMs } = fields;
    return await this.deliver(
      { ingress: declared.ingress, kind: kind ?? 'none', source, payload: payloadOf(declared, given, fields) },
      { ...(correlationId === undefined ? {} : { correlationId }), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    );
  }

  async sent(output?: string): Promise<SentCommand[]> {
    const { outputs } = await this.#client.call('output.list', { plugin: this.id });
    const names = outputs.map(({ name }) => name);
    if (output !== undefined && !names.includes(output))
      throw new HostError('output_not_found', `The service declares no output "${output}".`, { outputs: names });
    const shown = await Promise.all(
      (output === undefined ? names : [output]).map(async (name) => {
        const { pending, deadLetters } = await this.#client.call('output.show', {
          plugin: this.id,
          output: name,
          limit: mostShown,
        });
        return [...pending, ...deadLetters].map((command) => sentCommand(name, command));
      }),
    );
    return shown.flat().sort(inOrder);
  }

  async call(
    tool: string,
    input?: unknown,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<OperationResult<'tool.call'>> {
    return await this.#client.call('tool.call', {
      plugin: this.id,
      tool,
      ...(input === undefined ? {} : { input }),
      ...options,
    });
  }

  async status(): Promise<OperationResult<'service.status'>> {
    return await this.#client.call('service.status', { plugin: this.id, wait: true });
  }

  async state(): Promise<OperationResult<'service.state'>['state']> {
    return (await this.#client.call('service.state', { plugin: this.id })).state;
  }

  async worker(profile?: string): Promise<WorkerUnderTest> {
    return await makeWorker(this.#client, profile === undefined ? this.id : `${this.id}:${profile}`);
  }

  async logs(limit = 1000): Promise<OperationResult<'log.read'>['lines']> {
    return (await this.#client.call('log.read', { plugin: this.id, limit })).lines;
  }

  async restart(): Promise<OperationResult<'service.restart'>> {
    return await this.#client.call('service.restart', { plugin: this.id });
  }

  close(): Promise<void> {
    this.#closed ??= this.#client.close().then(() => this.#daemon.close());
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** An event as it is; any other value is the payload of one, for the only ingress and kind there are. */
  #event(eventOrPayload: unknown, { timeoutMs: _, ...fields }: EventFields): unknown {
    if (isEvent(eventOrPayload)) return { ...eventOrPayload, ...fields };
    const ingress =
      fields.ingress === undefined ? this.#ingresses[0] : this.#ingresses.find(({ name }) => name === fields.ingress);
    const ambiguous =
      (fields.ingress === undefined && this.#ingresses.length > 1) ||
      (fields.kind === undefined && (ingress?.kinds.length ?? 0) > 1);
    if (ambiguous)
      throw new HostError(
        'invalid_event',
        'The service has several ingresses or kinds: name them, as in deliver(payload, { ingress, kind }).',
        { ingresses: this.#ingresses },
      );
    // What is not declared is refused by the daemon, with what is.
    return { ingress: ingress?.name ?? 'none', kind: ingress?.kinds[0] ?? 'none', ...fields, payload: eventOrPayload };
  }
}
