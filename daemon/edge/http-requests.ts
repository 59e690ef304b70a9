// Commands to outputs of type http on their way through the edge's thread: who waits for which answer.
import type { HttpAnswer, HttpRequest, ToEdge } from '../../protocol/edge/messages.ts';

/** Whether the receiver got it, nobody knows: it is sent again under the same key. */
export const edgeGone: HttpAnswer = {
  is: 'retry',
  code: 'output_unreachable',
  message: 'The thread that sends was gone before the receiver had answered.',
};

export class HttpRequests {
  readonly #post: (message: ToEdge) => void;
  readonly #waiting = new Map<number, (answer: HttpAnswer) => void>();
  #last = 0;

  constructor(post: (message: ToEdge) => void) {
    this.#post = post;
  }

  send(request: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve) => {
      this.#last += 1;
      this.#waiting.set(this.#last, resolve);
      this.#post({ type: 'http', id: this.#last, request });
    });
  }

  answered(id: number, answer: HttpAnswer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  /** The thread is gone, with all that was on its way. */
  lost(): void {
    for (const resolve of this.#waiting.values()) resolve(edgeGone);
    this.#waiting.clear();
  }
}
