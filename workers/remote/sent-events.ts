// Reads server-sent events out of the pieces in which they arrive. Only their data counts: name and id stand in it too.

export class SentEvents {
  readonly #most: number;
  readonly #event: (data: string) => void;
  readonly #decoder = new TextDecoder('utf-8');
  #rest = '';
  #data: string[] = [];
  #held = 0;

  /** `most`: bytes of one event, beyond which `take` answers false. */
  constructor(most: number, event: (data: string) => void) {
    this.#most = most;
    this.#event = event;
  }

  /** False: an event is larger than one may be. */
  take(chunk: Uint8Array): boolean {
    const fresh = this.#decoder.decode(chunk, { stream: true });
    // What has no end of line yet was looked through before.
    if (!fresh.includes('\n')) {
      this.#rest += fresh;
      return this.#rest.length + this.#held <= this.#most;
    }
    const lines = (this.#rest + fresh).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (this.#held > this.#most) return false;
    }
    return this.#rest.length + this.#held <= this.#most;
  }

  #line(line: string): void {
    if (line === '') {
      const data = this.#data;
      this.#data = [];
      this.#held = 0;
      if (data.length > 0) this.#event(data.join('\n'));
    } else if (line.startsWith('data:')) {
      const text = line.slice(line.startsWith('data: ') ? 6 : 5);
      this.#data.push(text);
      // The line's end and its place in the list count, so that empty ones are bounded too.
      this.#held += text.length + 8;
    }
  }
}
