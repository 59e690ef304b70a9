// Keeps one connection of a source: made while the source is wanted, made again after a back-off when it ends, and not
// tried any more once it is final, until somebody does something about it. What is said over it is the driver's own.
import type { EdgeSource } from '../../protocol/edge/messages.ts';
import type { CredentialName } from '../../protocol/sources.ts';
import { BackOff } from './back-off.ts';
import type { DriverContext } from './driver.ts';

export interface KeptConnectionOptions<Connection> {
  /** Who is asked for a connection, as the operator reads it. */
  readonly peer: string;
  readonly auth: { readonly env: CredentialName } | undefined;
  readonly backoffMs: readonly [number, number];
  connect(credential: string | undefined): Connection;
  /** `away`: another one may follow. */
  disconnect(connection: Connection | undefined, why: 'done' | 'away'): void;
}

export interface ConnectionFault {
  readonly code: string;
  readonly message: string;
  /** Another try would only meet it again. */
  readonly isFinal: boolean;
}

export class KeptConnection<Connection> {
  readonly #context: DriverContext;
  readonly #options: KeptConnectionOptions<Connection>;
  readonly #backOff: BackOff;
  #source: EdgeSource;
  #current: Connection | undefined;
  #credential: string | undefined;
  #openedMs: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isFinal = false;
  #isBegun = false;
  #isClosed = false;

  constructor(context: DriverContext, options: KeptConnectionOptions<Connection>) {
    this.#context = context;
    this.#options = options;
    this.#backOff = new BackOff(options.backoffMs);
    this.#source = context.source;
  }

  get current(): Connection | undefined {
    return this.#current;
  }

  get isOpen(): boolean {
    return this.#openedMs !== undefined;
  }

  /** It is there, is being made, or will be. */
  get isExpected(): boolean {
    return this.#isWanted && !this.#isFinal;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What the present connection, or the last one, was made with. */
  get credential(): string | undefined {
    return this.#credential;
  }

  begin(): void {
    this.#isBegun = true;
    this.#follow();
  }

  /** Answers whether it began again, as if nothing had failed. */
  changed(source: EdgeSource): boolean {
    const wasWanted = this.#isWanted;
    const isAsked = source.asked !== this.#source.asked && this.#current === undefined;
    this.#source = source;
    if (this.#isWanted === wasWanted && !isAsked) return false;
    this.#again();
    return true;
  }

  /** Another credential needs another connection. */
  reread(): void {
    const found = this.#found();
    if (this.#current === undefined || (found?.ok === true && found.value !== this.#credential)) {
      this.#disconnect('away');
      this.#again();
    }
  }

  opened(): void {
    this.#openedMs = performance.now();
    this.#context.state('open');
  }

  ended({ code, message, isFinal }: ConnectionFault): void {
    const context = this.#context;
    this.#current = undefined;
    if (this.#openedMs !== undefined) this.#backOff.lasted(performance.now() - this.#openedMs);
    this.#openedMs = undefined;
    this.#isFinal = isFinal;
    if (isFinal) {
      const advice = 'No other connection is tried until the source is resumed, reloaded or its credential changed.';
      context.state('faulty', { code, message: `${message} ${advice}` });
      return;
    }
    context.state('retrying', { code, message });
    this.#retry = setTimeout(() => {
      context.count('reconnects');
      this.#follow();
    }, this.#backOff.next());
  }

  close(): void {
    this.#isClosed = true;
    this.#disconnect(this.#source.accepting ? 'done' : 'away');
  }

  get #isWanted(): boolean {
    return !this.#source.paused && this.#source.accepting;
  }

  #again(): void {
    this.#isFinal = false;
    this.#backOff.reset();
    this.#follow();
  }

  #follow(): void {
    if (!this.#isBegun || this.#isClosed) return;
    if (!this.#isWanted) {
      this.#disconnect('done');
      this.#context.state('paused');
    } else if (this.#current === undefined && !this.#isFinal) this.#connect();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    const found = this.#found();
    if (found?.ok === false) {
      this.#context.state('faulty', {
        code: 'credential_missing',
        message: `${this.#options.peer} cannot be asked for a connection: ${found.message}.`,
      });
      return;
    }
    this.#credential = found?.value;
    this.#context.state('connecting');
    this.#current = this.#options.connect(this.#credential);
  }

  #disconnect(why: 'done' | 'away'): void {
    clearTimeout(this.#retry);
    this.#options.disconnect(this.#current, why);
    this.#current = undefined;
    this.#openedMs = undefined;
  }

  #found(): ReturnType<DriverContext['credentials']['find']> | undefined {
    const { auth } = this.#options;
    return auth === undefined ? undefined : this.#context.credentials.find(auth.env);
  }
}
