// One connection of the load: it keeps a window of requests unanswered, or sends one and waits for its answer.
import { type Socket, createConnection } from 'node:net';
import { AnswerCounter } from './answers.ts';
import { RequestRing } from './requests.ts';

export interface StreamPlan {
  readonly socket: string;
  readonly requests: readonly string[];
  /** What every answer holds exactly once. */
  readonly mark: string;
  /** What none may hold. */
  readonly refusal?: string;
}

const silentMs = 30_000;

export class Stream {
  readonly #socket: Socket;
  readonly #ring: RequestRing;
  readonly #counter: AnswerCounter;
  readonly #refusal: string | undefined;
  #answered: (count: number) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  private constructor(socket: Socket, plan: StreamPlan) {
    this.#socket = socket;
    this.#ring = new RequestRing(plan.requests);
    this.#counter = new AnswerCounter(plan.mark);
    this.#refusal = plan.refusal;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  static open(plan: StreamPlan): Promise<Stream> {
    const socket = createConnection(plan.socket);
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Stream(socket, plan)));
    });
  }

  /** Answers how many requests were answered; returns when none is open any more. */
  flow(window: number, goOn: () => boolean): Promise<number> {
    let done = 0;
    let open = window;
    return this.#until((settle) => {
      this.#answered = (count) => {
        done += count;
        open -= count;
        if (goOn()) {
          this.#ring.write(this.#socket, count);
          open += count;
        } else if (open === 0) {
          settle(done);
        }
      };
      this.#ring.write(this.#socket, window);
    });
  }

  /** The microseconds of each. */
  async oneByOne(goOn: () => boolean): Promise<number[]> {
    const micros: number[] = [];
    do {
      const beganMs = performance.now();
      await this.#until<void>((settle) => {
        this.#answered = () => settle(undefined);
        this.#ring.write(this.#socket, 1);
      });
      micros.push((performance.now() - beganMs) * 1000);
    } while (goOn());
    return micros;
  }

  /** Sends one that is not of the ring, and waits for its answer. */
  async ask(request: string): Promise<void> {
    await this.#until<void>((settle) => {
      this.#answered = () => settle(undefined);
      this.#socket.write(request);
    });
  }

  #until<Value>(begin: (settle: (value: Value) => void) => void): Promise<Value> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('answers stopped coming')), silentMs);
      this.#fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      begin((value) => {
        clearTimeout(timer);
        resolve(value);
      });
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#refusal !== undefined && chunk.includes(this.#refusal)) {
      this.#fail(new Error(`a request was refused: ${chunk.toString('utf8', 0, 500)}`));
      return;
    }
    const count = this.#counter.count(chunk);
    if (count > 0) this.#answered(count);
  }
}
