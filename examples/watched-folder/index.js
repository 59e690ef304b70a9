// A file comes, a tool counts its words in a thread of its own, and the books are kept by an event. The service only says
// what follows what; each step is tried again by itself, and the books count each file once.
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { defineService, defineTool } from 'nagaya/sdk';

const mostBytes = 8 * 1024 * 1024;

const steps = {
  added(event, ctx) {
    const { path } = event.payload;
    // Files of the same name are counted one after the other.
    ctx.send('words', { path }, { key: basename(path) });
    return { counting: basename(path) };
  },
  counted(event, ctx) {
    // The target may be any plugin's service; here it is this one.
    ctx.send('books', event.payload);
    return event.payload;
  },
  entry(event, ctx) {
    const { name, words } = event.payload;
    const books = ctx.state.get('books') ?? { files: 0, words: 0 };
    ctx.state.set('books', { files: books.files + 1, words: books.words + words, newest: name });
    return ctx.state.get('books');
  },
};

export const service = defineService({
  start() {},
  handleIngress: (event, ctx) => steps[event.kind](event, ctx),
});

export const tools = {
  count: defineTool(async ({ path }) => {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > mostBytes) throw new Error(`${basename(path)} is larger than ${mostBytes} bytes`);
      const text = await file.readFile('utf8');
      return { name: basename(path), words: text.match(/\S+/g)?.length ?? 0 };
    } finally {
      await file.close();
    }
  }),
};
