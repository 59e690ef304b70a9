// Somebody's own plugin, as the kit meets it: what its manifest declares, and a daemon of its own for each condition,
// so that none of them pays for another.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, HostError } from '../../../protocol/client/client.ts';
import type { OperationResult } from '../../../protocol/operations.ts';
import { KitDaemon } from '../kit-daemon.ts';
import { until } from '../until.ts';

export interface DeclaredIngress {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly payloadSchema?: unknown;
}

export interface DeclaredTool {
  readonly name: string;
  readonly timeoutMs: number;
  readonly inputSchema?: unknown;
}

export interface OwnPluginOptions {
  readonly folder: string;
  /** In place of payloads made from the schemas. */
  readonly payload?: unknown;
  /** A value that a JSON Schema most likely accepts. */
  sample(schema: unknown): unknown;
}

type Status = OperationResult<'service.status'>;

export interface Declared {
  readonly id: string;
  readonly hasService: boolean;
  readonly ingresses: readonly DeclaredIngress[];
  readonly tools: readonly DeclaredTool[];
  readonly handleMs: number;
  readonly capacity: number;
}

/** The manifest as it is in force travels as loose JSON. */
interface Manifest {
  readonly service?: {
    readonly ingresses: readonly DeclaredIngress[];
    readonly timeouts: { readonly handleMs: number };
    readonly queue: { readonly capacity: number };
  };
  readonly tools?: readonly DeclaredTool[];
}

const settleEveryMs = 20;

/** The daemon says what is wrong with a manifest; here it only matters whom the overrides are for. */
function declaredId(folder: string): string | undefined {
  try {
    const { id } = JSON.parse(readFileSync(join(folder, 'plugin.json'), 'utf8')) as { id?: unknown };
    return typeof id === 'string' ? id : undefined;
  } catch {
    // Told by the daemon, with the path of the fault.
    return undefined;
  }
}

/** A daemon with the plugin in it, under one condition. */
export class OwnPlugin {
  readonly client: Client;
  readonly daemon: KitDaemon;
  readonly declared: Declared;
  readonly #options: OwnPluginOptions;
  #sent = 0;

  private constructor(options: OwnPluginOptions, daemon: KitDaemon, client: Client, declared: Declared) {
    this.#options = options;
    this.daemon = daemon;
    this.client = client;
    this.declared = declared;
  }

  /** Loaded, and its service started where it has one. */
  static async under<Result>(
    options: OwnPluginOptions,
    overrides: Readonly<Record<string, unknown>>,
    use: (own: OwnPlugin) => Promise<Result>,
  ): Promise<Result> {
    const id = declaredId(options.folder);
    const daemon = await KitDaemon.start({
      config: () => ({ plugins: { autostart: false, overrides: id === undefined ? {} : { [id]: overrides } } }),
    });
    try {
      const client = await daemon.connect();
      const { plugin } = await client.call('plugin.load', { path: options.folder, remember: false });
      const { manifest } = await client.call('plugin.show', { plugin: plugin.id });
      const { service, tools = [] } = manifest as Manifest;
      const declared = {
        id: plugin.id,
        hasService: plugin.hasService,
        ingresses: service?.ingresses ?? [],
        tools,
        handleMs: service?.timeouts.handleMs ?? 0,
        capacity: service?.queue.capacity ?? 0,
      };
      const own = new OwnPlugin(options, daemon, client, declared);
      if (plugin.hasService) await own.start();
      return await use(own);
    } finally {
      await daemon.stop();
    }
  }

  async start(): Promise<void> {
    await this.client.call('service.start', { plugin: this.declared.id });
  }

  sampleInput(tool: DeclaredTool): unknown {
    return this.#options.sample(tool.inputSchema ?? {});
  }

  /** An event of its own kind; every ingress and kind has its turn. */
  event(payload?: unknown): { ingress: string; kind: string; payload: unknown } {
    const turns = this.declared.ingresses.flatMap((ingress) => ingress.kinds.map((kind) => ({ ingress, kind })));
    const turn = turns[this.#sent % Math.max(1, turns.length)];
    this.#sent += 1;
    const sampled = (): unknown => this.#options.payload ?? this.#options.sample(turn?.ingress.payloadSchema ?? {});
    return {
      ingress: turn?.ingress.name ?? 'none',
      kind: turn?.kind ?? 'none',
      payload: payload === undefined ? sampled() : payload,
    };
  }

  /** Undefined when it was handled, else the error. */
  async deliver(payload?: unknown): Promise<HostError | undefined> {
    const { id, handleMs } = this.declared;
    try {
      await this.client.call('ingress.deliver', {
        plugin: id,
        event: this.event(payload),
        timeoutMs: handleMs * 4 + 10_000,
      });
      return undefined;
    } catch (thrown) {
      return asError(thrown);
    }
  }

  /** How many of them were accepted, and the codes of those that were not. */
  async publish(count: number): Promise<{ accepted: number; refused: string[] }> {
    const answer = await this.client.call('ingress.publish', {
      plugin: this.declared.id,
      events: Array.from({ length: count }, () => this.event()),
    });
    const results = 'results' in answer ? answer.results : [];
    return {
      accepted: results.filter(({ accepted }) => accepted).length,
      refused: results.flatMap((result) => (result.accepted ? [] : [result.error.code])),
    };
  }

  status(): Promise<Status> {
    return this.client.call('service.status', { plugin: this.declared.id });
  }

  /** Waits until every accepted event has come to its end; undefined when they do not. */
  async settled(withinMs: number): Promise<Status | undefined> {
    let last: Status | undefined;
    const done = await until(
      async () => {
        last = await this.status();
        const { queue, inFlight, restart, lifecycle } = last;
        return queue.depth === 0 && inFlight === null && restart?.pending !== true && lifecycle !== 'starting';
      },
      withinMs,
      settleEveryMs,
    );
    return done ? last : undefined;
  }
}

/** Errors of the daemon are what is looked for; anything else is a fault of the kit's. */
export function asError(thrown: unknown): HostError {
  if (thrown instanceof HostError) return thrown;
  throw thrown;
}

export const wordsOfError = ({ code, message }: HostError): string => `${code}: ${message.split('\n')[0] ?? ''}`;
