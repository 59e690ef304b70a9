// Reads server-sent events as a server of MCP sends them: the data of each event is a message.

export class EventStream {
  readonly #maxLength: number;
  readonly #message: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #line = '';
  /** Of the line that has begun: how far it was searched for its end. */
  #searched = 0;
  #data: string[] = [];
  #dataLength = 0;

  constructor(maxLength: number, message: (text: string) => void) {
    this.#maxLength = maxLength;
    this.#message = message;
  }

  /** Throws where a message is longer than allowed. */
  push(bytes: Uint8Array): void {
    this.#line += this.#decoder.decode(bytes, { stream: true });
    let begin = 0;
    for (;;) {
      const end = this.#line.indexOf('\n', Math.max(begin, this.#searched));
      if (end === -1) break;
      this.#take(this.#line.slice(begin, this.#line[end - 1] === '\r' ? end - 1 : end));
      begin = end + 1;
    }
    this.#line = this.#line.slice(begin);
    this.#searched = this.#line.length;
    this.#check(this.#line.length);
  }

  #take(line: string): void {
    if (line === '') {
      const data = this.#data.join('\n');
      this.#data = [];
      this.#dataLength = 0;
      if (data !== '') this.#message(data);
      return;
    }
    if (!line.startsWith('data:')) return;
    const data = line.slice(line[5] === ' ' ? 6 : 5);
    this.#data.push(data);
    this.#dataLength += data.length + 1;
    this.#check(this.#dataLength);
  }

  #check(length: number): void {
    if (length > this.#maxLength) throw new Error('the server sent a message that is longer than limits.lineBytes');
  }
}
