// The edge's thread as a whole: sources that come and go by the host's list, one listener for webhooks, and reports of
// what happens.
import type {
  CommandAnswer,
  EdgeCommand,
  EdgeData,
  EdgeSource,
  FromEdge,
  MemoryEntry,
  NumberedAnswer,
  SourceReport,
  ToEdge,
} from '../../protocol/edge/messages.ts';
import { Gathered } from '../../protocol/gathered.ts';
import type { SourceType } from '../../protocol/sources.ts';
import { commandText } from './command-text.ts';
import { Credentials } from './credentials.ts';
import type { MakeDriver } from './driver.ts';
import { HttpOutput } from './http-output.ts';
import { FilesDriver } from './files-driver.ts';
import { InFlight } from './in-flight.ts';
import { MqttDriver } from './mqtt-driver.ts';
import { MqttOutput } from './mqtt-output.ts';
import { RunningSource } from './running-source.ts';
import { WebhookDriver } from './webhook-driver.ts';
import { WebhookListener } from './webhook-listener.ts';
import { WebsocketDriver } from './websocket-driver.ts';

/** A flood changes a source thousands of times a second; the host is told this often. */
const reportEveryMs = 250;

export class Edge {
  readonly #post: (message: FromEdge) => void;
  readonly #data: EdgeData;
  readonly #credentials: Credentials;
  readonly #http: HttpOutput;
  readonly #mqtt: MqttOutput;
  readonly #inFlight: InFlight;
  readonly #listener: WebhookListener;
  readonly #sources = new Map<string, RunningSource>();
  readonly #drivers: Readonly<Record<Exclude<SourceType, 'schedule'>, MakeDriver>>;
  /** Who waits for what the host remembers of a source, in the order in which they asked. */
  readonly #recalls = new Map<string, ((entries: readonly MemoryEntry[]) => void)[]>();
  readonly #commandAnswers = new Gathered<NumberedAnswer>((answers) => this.#post({ type: 'commandAnswers', answers }));
  readonly #changed = new Set<RunningSource>();
  #reporting: NodeJS.Timeout | undefined;

  constructor(data: EdgeData, env: Readonly<Record<string, string | undefined>>, post: (message: FromEdge) => void) {
    this.#data = data;
    this.#post = post;
    this.#credentials = new Credentials(env);
    this.#http = new HttpOutput(this.#credentials);
    this.#mqtt = new MqttOutput(this.#credentials);
    this.#inFlight = new InFlight(data.inFlight, (events) => post({ type: 'events', events }));
    this.#listener = new WebhookListener(data.webhooks, {
      listening: (host, port) => post({ type: 'listening', host, port }),
      unlistenable: (reason) => post({ type: 'unlistenable', reason }),
    });
    this.#drivers = {
      webhook: (context) => new WebhookDriver(context, this.#listener),
      files: (context) => new FilesDriver(context),
      websocket: (context) => new WebsocketDriver(context),
      mqtt: (context) => new MqttDriver(context),
    };
  }

  receive(message: ToEdge): void {
    switch (message.type) {
      case 'sources':
        this.#declare(message.sources);
        break;
      case 'listen':
        this.#listener.listen(message.order);
        break;
      case 'answers':
        this.#inFlight.answered(message.answers);
        break;
      case 'recalled':
        this.#recalls.get(message.key)?.shift()?.(message.entries);
        if (this.#recalls.get(message.key)?.length === 0) this.#recalls.delete(message.key);
        break;
      case 'reread':
        for (const source of this.#sources.values()) source.reread();
        this.#mqtt.reread();
        break;
      case 'commands':
        for (const { id, command } of message.commands)
          void this.#send(command).then((answer) => this.#commandAnswers.add({ id, answer }));
        break;
      case 'look':
        this.#post({ type: 'reports', reports: this.#reports(), look: message.id });
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  async #send(command: EdgeCommand): Promise<CommandAnswer> {
    switch (command.to) {
      case 'http':
        return await this.#http.send(command);
      case 'mqtt':
        return await this.#mqtt.send(command);
      case 'websocket':
        return (await this.#sources.get(command.key)?.command(commandText(command.json))) ?? noSource;
    }
  }

  #declare(sources: readonly EdgeSource[]): void {
    const declared = new Set(sources.map(({ key }) => key));
    for (const [key, running] of this.#sources) if (!declared.has(key)) this.#end(key, running);
    for (const source of sources) {
      const running = this.#sources.get(source.key);
      if (running !== undefined && sameDeclaration(running.source, source)) {
        running.update(source);
        continue;
      }
      if (running !== undefined) this.#end(source.key, running);
      this.#begin(source);
    }
  }

  #begin(source: EdgeSource): void {
    const { eventBytes, nesting } = this.#data;
    const running = new RunningSource(source, {
      credentials: this.#credentials,
      inFlight: this.#inFlight,
      eventBytes,
      nesting,
      changed: (changed) => this.#report(changed),
      recall: (key) => this.#recall(key),
      remember: (key, changes) => this.#post({ type: 'remember', key, changes }),
    });
    this.#sources.set(source.key, running);
    running.begin(this.#drivers[source.declaration.type]);
    this.#report(running);
  }

  #recall(key: string): Promise<readonly MemoryEntry[]> {
    this.#post({ type: 'recall', key });
    return new Promise((resolve) => this.#recalls.set(key, [...(this.#recalls.get(key) ?? []), resolve]));
  }

  #end(key: string, running: RunningSource): void {
    running.close();
    this.#sources.delete(key);
    this.#changed.delete(running);
  }

  #report(source: RunningSource): void {
    this.#changed.add(source);
    this.#reporting ??= setTimeout(() => {
      this.#post({ type: 'reports', reports: this.#reports() });
    }, reportEveryMs).unref();
  }

  #reports(): SourceReport[] {
    clearTimeout(this.#reporting);
    this.#reporting = undefined;
    const reports = [...this.#changed].map((source) => source.report());
    this.#changed.clear();
    return reports;
  }

  #close(): void {
    for (const [key, running] of this.#sources) this.#end(key, running);
    this.#listener.close();
    this.#mqtt.close();
    clearTimeout(this.#reporting);
  }
}

const noSource: CommandAnswer = {
  is: 'retry',
  code: 'output_unreachable',
  message: 'The source whose peer gets the commands does not run.',
};

/** What does not change a connection: whether it is paused, and what its ingress takes. */
const sameDeclaration = (one: EdgeSource, other: EdgeSource): boolean =>
  one.folder === other.folder && JSON.stringify(one.declaration) === JSON.stringify(other.declaration);
