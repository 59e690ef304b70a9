// Cuts a stream of server-sent events into the data of each event, however the bytes were split on their way: in the
// middle of a character, of a line's end, of anything.

const lineEnd = /\r\n|\n|\r/g;
const maxEventLength = 1024 * 1024;

export class EventStream {
  #decoder = new TextDecoder();
  #text = '';
  #data = [];
  #length = 0;

  /** The data of each event that these bytes complete. */
  push(bytes) {
    return this.#cut(this.#decoder.decode(bytes, { stream: true }), false);
  }

  /** Some servers leave out the empty line after the last event. */
  end() {
    const events = this.#cut(`${this.#decoder.decode()}\n\n`, true);
    this.#text = '';
    return events;
  }

  #cut(text, isLast) {
    const events = [];
    this.#text += text;
    let from = 0;
    lineEnd.lastIndex = 0;
    for (let found = lineEnd.exec(this.#text); found !== null; found = lineEnd.exec(this.#text)) {
      // The other half of this line's end may be still to come.
      if (found[0] === '\r' && lineEnd.lastIndex === this.#text.length && !isLast) break;
      this.#take(this.#text.slice(from, found.index), events);
      from = lineEnd.lastIndex;
    }
    this.#text = this.#text.slice(from);
    if (this.#text.length + this.#length > maxEventLength) throw new Error(`one event of the stream has more than ${maxEventLength} characters`);
    return events;
  }

  #take(line, events) {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
      this.#length = 0;
    } else if (line === 'data' || line.startsWith('data:')) {
      const data = line.slice('data:'.length).replace(/^ /, '');
      this.#data.push(data);
      this.#length += data.length + 1;
    }
    // Comments, names and ids of events say nothing here.
  }
}
