// What one session or token may do at the port: read or write, and how many streams it may have open. When it ends, its
// streams end with it.
import { HostError } from '../../../protocol/errors.ts';
import { plural } from '../../../protocol/plural.ts';

export interface Ending {
  end(): void;
}

/** `browse`: the runtimes and their workers. `operate`: the operator's page as well. `measure`: metrics alone. */
export type Scope = 'browse' | 'operate' | 'measure';

export class Access {
  readonly readOnly: boolean;
  readonly scope: Scope;
  readonly #maxStreams: number;
  readonly #streams = new Set<Ending>();

  constructor(readOnly: boolean, maxStreams: number, scope: Scope = 'browse') {
    this.readOnly = readOnly;
    this.scope = scope;
    this.#maxStreams = maxStreams;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Answers what is to be called when the stream is over. */
  openStream(stream: Ending): () => void {
    const maximum = this.#maxStreams;
    if (this.#streams.size >= maximum) {
      throw new HostError(
        'too_many_requests',
        `${plural(maximum, 'stream is', 'streams are')} open already, which is the limit. Raise http.limits.streams to allow more.`,
        { limit: 'http.limits.streams', maximum },
      );
    }
    this.#streams.add(stream);
    return () => void this.#streams.delete(stream);
  }

  end(): void {
    for (const stream of this.#streams) stream.end();
  }
}
