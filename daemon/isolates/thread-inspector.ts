// The host's way to ask a running thread: an inspector session of its own, through which a thread answers in the
// middle of a loop, without being stopped and without its event loop. A thread that nobody asks pays nothing for it.
import type { Session } from 'node:inspector';
import type { InspectorGate } from '../../protocol/cell/inspector-gate.ts';
import { afterInterrupt } from '../../protocol/cell/interrupt.ts';
import { awakeTime } from '../time/awake-time.ts';

export interface ObjectQuestion {
  /** An expression. */
  readonly prototype: string;
  /** A function of the list of objects, which is its `this`, to a number. */
  readonly count: string;
}

interface Question {
  readonly threadId: number;
  readonly answer: (result: unknown) => void;
}

/** What a cell answers is the plugin's to influence. */
const maxAnswerLength = 1024 * 1024;
/** Objects that the thread holds for its answers, until they are let go. */
const objectGroup = 'nagaya';

export class ThreadInspector {
  #session: Session | undefined;
  #begun = false;
  readonly #sessionIds = new Map<number, string>();
  readonly #gates = new Map<number, InspectorGate>();
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;

  /**
   * To be called before the first thread is made: Node crashes if it is told to watch threads while one of them ends.
   */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    try {
      const session = new (process.getBuiltinModule('node:inspector').Session)();
      session.connect();
      session.on('NodeWorker.attachedToWorker', ({ params }) =>
        afterInterrupt(() => this.#attached(params.workerInfo.title, params.sessionId)),
      );
      session.on('NodeWorker.detachedFromWorker', ({ params }) => afterInterrupt(() => this.#forget(params.sessionId)));
      session.on('NodeWorker.receivedMessageFromWorker', ({ params }) =>
        afterInterrupt(() => this.#receive(params.message)),
      );
      session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
      this.#session = session;
    } catch {
      // A Node without inspector, or kept from it by its permission model: no thread can be asked then.
    }
  }

  /** Whether the thread can be asked at all: Node's permission model may keep the inspector out of it. */
  reaches(threadId: number): boolean {
    return this.#sessionIds.has(threadId) && this.#gates.has(threadId);
  }

  /**
   * Only a thread that can say by its gate that it is leaving is asked: Node crashes on a question to one that ends.
   */
  register(threadId: number, gate: InspectorGate): void {
    if (threadId > 0) this.#gates.set(threadId, gate);
  }

  /** Its end is ordered, or has come. */
  dismiss(threadId: number): void {
    this.#gates.get(threadId)?.shut();
    this.#gates.delete(threadId);
  }

  /** What the thread answers to an expression: the protocol's result. Nothing where it does not, or not in time. */
  async evaluate(threadId: number, expression: string, withinMs: number): Promise<unknown> {
    return this.#during(threadId, withinMs, async (left) => {
      // Only between these two does V8 take down the stack of what is thrown.
      this.#post(threadId, 'Runtime.enable', {});
      const answered = this.#ask(
        threadId,
        'Runtime.evaluate',
        { expression, silent: true, returnByValue: true },
        left(),
      );
      this.#post(threadId, 'Runtime.disable', {});
      return answered;
    });
  }

  /**
   * Has the thread collect its garbage at once, also in the middle of a loop; false where it does not, or not in time.
   */
  async collectGarbage(threadId: number, withinMs: number): Promise<boolean> {
    // To find the objects of a class V8 first collects all garbage; this class has none.
    return (
      (await this.countObjects(
        threadId,
        { prototype: '(class {}).prototype', count: 'function () { return this.length; }' },
        withinMs,
      )) !== undefined
    );
  }

  /**
   * Finds all living objects of a class in the thread, and answers what `count` makes of their list. `prototype` is an
   * expression for what they inherit from. Undefined where the thread does not answer, or not in time.
   */
  async countObjects(
    threadId: number,
    { prototype, count }: ObjectQuestion,
    withinMs: number,
  ): Promise<number | undefined> {
    const counted = await this.#during(threadId, withinMs, async (left) => {
      const made = await this.#ask(
        threadId,
        'Runtime.evaluate',
        { expression: prototype, silent: true, objectGroup },
        left(),
      );
      const prototypeObjectId = objectIdOf((made as { result?: unknown } | undefined)?.result);
      if (prototypeObjectId === undefined) return undefined;
      const found = await this.#ask(threadId, 'Runtime.queryObjects', { prototypeObjectId, objectGroup }, left());
      const objectId = objectIdOf((found as { objects?: unknown } | undefined)?.objects);
      const answered =
        objectId === undefined
          ? undefined
          : await this.#ask(
              threadId,
              'Runtime.callFunctionOn',
              { objectId, functionDeclaration: count, silent: true, returnByValue: true },
              left(),
            );
      this.#post(threadId, 'Runtime.releaseObjectGroup', { objectGroup });
      return answered;
    });
    const value = (counted as { result?: { value?: unknown } } | undefined)?.result?.value;
    return typeof value === 'number' ? value : undefined;
  }

  /** Somebody's debugger may have stopped a thread. */
  get isDebugged(): boolean {
    try {
      return process.getBuiltinModule('node:inspector').url() !== undefined;
    } catch {
      // A Node without inspector.
      return false;
    }
  }

  /** A thread that somebody's debugger has stopped could not be ended: it goes on. */
  release(threadId: number): void {
    if (!this.reaches(threadId) || !this.isDebugged) return;
    for (const method of ['Debugger.enable', 'Debugger.resume', 'Debugger.disable']) this.#post(threadId, method, {});
  }

  async #during(threadId: number, withinMs: number, act: (left: () => number) => Promise<unknown>): Promise<unknown> {
    const dueMs = awakeTime.nowMs() + withinMs;
    return this.reaches(threadId) ? act(() => Math.max(0, dueMs - awakeTime.nowMs())) : undefined;
  }

  #ask(threadId: number, method: string, params: object, withinMs: number): Promise<unknown> {
    return new Promise((resolve) => {
      const question = this.#post(threadId, method, params);
      if (question === undefined) {
        resolve(undefined);
        return;
      }
      const timer = awakeTime.after(withinMs, () => answer(undefined));
      const answer = (result: unknown): void => {
        timer.cancel();
        this.#questions.delete(question);
        resolve(result);
      };
      this.#questions.set(question, { threadId, answer });
    });
  }

  /** Undefined where the thread is leaving, or gone. */
  #post(threadId: number, method: string, params: object): number | undefined {
    const sessionId = this.#sessionIds.get(threadId);
    if (sessionId === undefined) return undefined;
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    const message = JSON.stringify({ id, method, params });
    const asked = this.#gates
      .get(threadId)
      ?.ask(() => this.#session?.post('NodeWorker.sendMessageToWorker', { sessionId, message }));
    return asked === true ? id : undefined;
  }

  #receive(message: string): void {
    // What a thread reports unasked is not read.
    if (!message.startsWith('{"id":') || message.length > maxAnswerLength) return;
    const { id, result } = JSON.parse(message) as { id: number; result?: unknown };
    this.#questions.get(id)?.answer(result);
  }

  /** The inspector's own number of a thread is another; its title begins with Node's. */
  #attached(title: string, sessionId: string): void {
    const threadId = /^\[worker (\d+)\]/.exec(title)?.[1];
    if (threadId !== undefined) this.#sessionIds.set(Number(threadId), sessionId);
  }

  #forget(sessionId: string): void {
    const threadId = [...this.#sessionIds].find(([, known]) => known === sessionId)?.[0];
    if (threadId === undefined) return;
    this.#sessionIds.delete(threadId);
    this.dismiss(threadId);
    for (const question of this.#questions.values()) {
      if (question.threadId === threadId) question.answer(undefined);
    }
  }
}

const objectIdOf = (object: unknown): unknown => (object as { objectId?: unknown } | undefined)?.objectId;

/** One for the daemon: every thread of the process is in its sight. */
export const threadInspector = new ThreadInspector();
