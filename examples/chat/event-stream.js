// Cuts a stream of server-sent events into the data of each event, however the bytes were split on their way: in the
// middle of a character, of a line's end, of anything. Each character is looked at once, and no more than one event kept.

const lineEnd = /\r\n|\n|\r/g;
const maxEventLength = 1024 * 1024;

export class EventStream {
  #decoder = new TextDecoder();
  /** Of the line whose end is still to come. */
  #pieces = [];
  #afterReturn = false;
  #data = [];
  /** Of everything since the last event: what is skipped may be endless too. */
  #length = 0;

  /** The data of each event that these bytes complete. */
  push(bytes) {
    return this.#cut(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Some servers leave out the empty line after the last event. */
  end() {
    return this.#cut(`${this.#decoder.decode()}\n\n`);
  }

  #cut(text) {
    const events = [];
    // A line that ended in \r has ended; this is the other half of the same end.
    let from = this.#afterReturn && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.#afterReturn = text.endsWith('\r');
    lineEnd.lastIndex = from;
    for (let found = lineEnd.exec(text); found !== null; found = lineEnd.exec(text)) {
      this.#keep(text.slice(from, found.index));
      this.#take(this.#pieces.join(''), events);
      this.#pieces = [];
      from = lineEnd.lastIndex;
    }
    this.#keep(text.slice(from));
    return events;
  }

  #keep(piece) {
    if (piece === '') return;
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > maxEventLength) throw new Error(`one event of the stream has more than ${maxEventLength} characters`);
  }

  #take(line, events) {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
      this.#length = 0;
    } else if (line === 'data' || line.startsWith('data:')) {
      this.#data.push(line.slice('data:'.length).replace(/^ /, ''));
    }
    // Comments, names and ids of events say nothing here.
  }
}
