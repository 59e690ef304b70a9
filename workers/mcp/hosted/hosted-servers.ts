// Every hosted server that the MCP thread speaks to, by the number the host knows it by.
import { LineCutter, asText } from '../../../protocol/framing.ts';
import type { FromMcpThread, McpThreadOptions, ServerOptions, ToMcpThread } from '../../../protocol/mcp/messages.ts';
import { HostedServer, type ServerChanges } from './hosted-server.ts';
import { RemoteWire } from './remote-wire.ts';

interface Hosted {
  readonly server: HostedServer;
  /** Of the output of a process. */
  readonly cutter: LineCutter | undefined;
}

export type ServerMessage = Extract<ToMcpThread, { readonly server: number }>;

export class HostedServers {
  readonly #options: McpThreadOptions;
  readonly #post: (message: FromMcpThread) => void;
  readonly #changes: ServerChanges;
  readonly #hosted = new Map<number, Hosted>();

  constructor(options: McpThreadOptions, post: (message: FromMcpThread) => void, changes: ServerChanges) {
    this.#options = options;
    this.#post = post;
    this.#changes = changes;
  }

  receive(message: ServerMessage): void {
    if (message.type === 'serverOpen') {
      this.#open(message.server, message.options);
      return;
    }
    const hosted = this.#hosted.get(message.server);
    switch (message.type) {
      case 'serverBytes': {
        const { bytes } = message;
        hosted?.cutter?.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
        this.#post({ type: 'serverTaken', server: message.server, bytes: bytes.byteLength });
        return;
      }
      case 'serverGone':
        this.#hosted.delete(message.server);
        for (const kind of ['resources', 'prompts'] as const)
          if (hosted?.server.offers(kind) === true) this.#changes.listChanged(kind);
        hosted?.server.end();
        return;
      case 'serverCall':
        hosted?.server.call(message.call, message.tool, message.inputJson, message.id);
        return;
      case 'serverCancel':
        hosted?.server.cancel(message.call, message.reason);
    }
  }

  /**
   * Resolves when no server is starting any more, or after a moment: many clients ask for the list once, and never hear
   * of what comes later.
   */
  async settled(): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while ([...this.#hosted.values()].some(({ server }) => server.starting) && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, lookMs));
  }

  /** In the order in which they came. */
  offering(capability: 'resources' | 'prompts' | 'completions'): HostedServer[] {
    return [...this.#hosted.values()].flatMap(({ server }) => (server.offers(capability) ? [server] : []));
  }

  /** The newest of a plugin. */
  of(plugin: string): HostedServer | undefined {
    return [...this.#hosted.values()].reverse().find(({ server }) => server.plugin === plugin)?.server;
  }

  #open(id: number, options: ServerOptions): void {
    const { lineBytes } = this.#options;
    const remote =
      options.remote === undefined
        ? undefined
        : new RemoteWire(options.remote, lineBytes, {
            message: (text) => this.#hosted.get(id)?.server.receive(text),
            unanswered: (request, why) => this.#hosted.get(id)?.server.unanswered(request, why),
            failed: (why) => this.#hosted.get(id)?.server.fault(why),
          });
    const wire = remote ?? {
      send: (text: string): void => this.#post({ type: 'serverText', server: id, text }),
      close: (): void => undefined,
    };
    const server = new HostedServer(id, {
      options,
      thread: this.#options,
      wire,
      changes: this.#changes,
      post: this.#post,
    });
    const cutter =
      remote === undefined
        ? new LineCutter(lineBytes, { line: asText((text) => server.receive(text)), tooLong: () => server.tooLong() })
        : undefined;
    this.#hosted.set(id, { server, cutter });
    void server.begin();
  }
}

const patienceMs = 3000;
const lookMs = 20;
