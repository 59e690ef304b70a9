// Commands on their way through the edge's thread: who waits for which answer.
import { Gathered } from '../../protocol/gathered.ts';
import type {
  CommandAnswer,
  EdgeCommand,
  NumberedAnswer,
  NumberedCommand,
  ToEdge,
} from '../../protocol/edge/messages.ts';

/** Whether the receiver got it, nobody knows: it is sent again under the same key. */
export const edgeGone: CommandAnswer = {
  is: 'retry',
  code: 'output_unreachable',
  message: 'The thread that sends was gone before the receiver had answered.',
};

export class EdgeCommands {
  readonly #gathered: Gathered<NumberedCommand>;
  readonly #waiting = new Map<number, (answer: CommandAnswer) => void>();
  #last = 0;

  constructor(post: (message: ToEdge) => void) {
    this.#gathered = new Gathered((commands) => post({ type: 'commands', commands }));
  }

  send(command: EdgeCommand): Promise<CommandAnswer> {
    return new Promise((resolve) => {
      this.#last += 1;
      this.#waiting.set(this.#last, resolve);
      this.#gathered.add({ id: this.#last, command });
    });
  }

  answered(answers: readonly NumberedAnswer[]): void {
    for (const { id, answer } of answers) {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    }
  }

  /** The thread is gone, with all that was on its way. */
  lost(): void {
    for (const resolve of this.#waiting.values()) resolve(edgeGone);
    this.#waiting.clear();
  }
}
