// The host's way to ask a running thread: an inspector session of its own, through which a thread answers in the
// middle of a loop, without being stopped and without its event loop. Begun at the first question, so that what never
// fails never pays for it.
import type { Session } from 'node:inspector';

interface Question {
  readonly sessionId: string;
  readonly answer: (result: unknown) => void;
}

/** What a cell answers is the plugin's to influence. */
const maxAnswerLength = 1024 * 1024;
/** Objects that the thread holds for its answers, until they are let go. */
const objectGroup = 'nagaya';

export class ThreadInspector {
  #session: Session | undefined;
  #begun: Promise<void> | undefined;
  readonly #sessionIds = new Map<number, string>();
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;

  /** Whether the thread can be asked at all: Node's permission model may keep the inspector out of it. */
  reaches(threadId: number): boolean {
    return this.#sessionIds.has(threadId);
  }

  /** What the thread answers to an expression: the protocol's result. Nothing where it does not, or not in time. */
  async evaluate(threadId: number, expression: string, withinMs: number): Promise<unknown> {
    return this.#during(threadId, withinMs, async (sessionId, left) => {
      // Only between these two does V8 take down the stack of what is thrown.
      this.#post(sessionId, 'Runtime.enable', {});
      const answered = this.#ask(sessionId, 'Runtime.evaluate', { expression, silent: true, returnByValue: true }, left());
      this.#post(sessionId, 'Runtime.disable', {});
      return answered;
    });
  }

  /** Has the thread collect its garbage at once, also in the middle of a loop; false where it does not, or not in time. */
  async collectGarbage(threadId: number, withinMs: number): Promise<boolean> {
    const done = await this.#during(threadId, withinMs, async (sessionId, left) => {
      // To count the objects of a class V8 first collects all garbage; this class has none.
      const made = await this.#ask(sessionId, 'Runtime.evaluate', { expression: '(class {}).prototype', silent: true, objectGroup }, left());
      const { result } = (made ?? {}) as { result?: { objectId?: unknown } };
      if (result?.objectId === undefined) return undefined;
      const counted = await this.#ask(sessionId, 'Runtime.queryObjects', { prototypeObjectId: result.objectId, objectGroup }, left());
      this.#post(sessionId, 'Runtime.releaseObjectGroup', { objectGroup });
      return counted;
    });
    return done !== undefined;
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
    const sessionId = this.#sessionIds.get(threadId);
    if (sessionId === undefined || !this.isDebugged) return;
    for (const method of ['Debugger.enable', 'Debugger.resume', 'Debugger.disable']) this.#post(sessionId, method, {});
  }

  async #during(threadId: number, withinMs: number, act: (sessionId: string, left: () => number) => Promise<unknown>): Promise<unknown> {
    const dueMs = performance.now() + withinMs;
    this.#begun ??= this.#begin();
    await this.#begun;
    const sessionId = this.#sessionIds.get(threadId);
    return sessionId === undefined ? undefined : act(sessionId, () => Math.max(0, dueMs - performance.now()));
  }

  async #begin(): Promise<void> {
    try {
      const inspector = await import('node:inspector');
      const session = new inspector.Session();
      session.connect();
      session.on('NodeWorker.attachedToWorker', ({ params }) => this.#attached(params.workerInfo.title, params.sessionId));
      session.on('NodeWorker.detachedFromWorker', ({ params }) => this.#forget(params.sessionId));
      session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => this.#receive(params.message));
      // Tells of every thread there is before it returns, and of every later one when it starts.
      session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
      this.#session = session;
    } catch {
      // A Node without inspector, or kept from it by its permission model: no thread can be asked then.
    }
  }

  #ask(sessionId: string, method: string, params: object, withinMs: number): Promise<unknown> {
    return new Promise((resolve) => {
      const question = this.#post(sessionId, method, params);
      const timer = setTimeout(() => answer(undefined), withinMs);
      const answer = (result: unknown): void => {
        clearTimeout(timer);
        this.#questions.delete(question);
        resolve(result);
      };
      this.#questions.set(question, { sessionId, answer });
    });
  }

  #post(sessionId: string, method: string, params: object): number {
    this.#lastQuestion += 1;
    this.#session?.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id: this.#lastQuestion, method, params }) });
    return this.#lastQuestion;
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
    for (const [threadId, known] of this.#sessionIds) {
      if (known === sessionId) this.#sessionIds.delete(threadId);
    }
    for (const question of this.#questions.values()) {
      if (question.sessionId === sessionId) question.answer(undefined);
    }
  }
}

/** One for the daemon: every thread of the process is in its sight. */
export const threadInspector = new ThreadInspector();
