// An MCP server without any SDK: its tool `work` answers with what it was given, and its tool `fault` does the deed that
// the first argument names. What is not part of the deed is done right.
import { createInterface } from 'node:readline';
import { deeds } from './fault.js';

const [, , id] = process.argv;
const given = deeds[id] ?? {};
const deed = typeof given === 'function' ? { call: given } : given;

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (value) => ({ content: [{ type: 'text', text: String(value) }] });
const tool = (name) => ({ name, description: `The tool ${name}.`, inputSchema: { type: 'object' } });
/** Answers of the client to what the deed has asked it. */
const waiting = new Map();

const io = {
  send,
  tool,
  text,
  /** The client's answer, be it an error. */
  ask: (askId, method, params) =>
    new Promise((resolve) => {
      waiting.set(askId, resolve);
      send({ id: askId, method, params });
    }),
};

async function answer(message) {
  const { id: request, method, params = {} } = message;
  switch (method) {
    case 'initialize':
      return deed.initialize === undefined
        ? {
            protocolVersion: '2025-06-18',
            capabilities: { tools: { listChanged: true } },
            serverInfo: { name: 'faulty', version: '1.0.0' },
          }
        : deed.initialize(io, message);
    case 'ping':
      return {};
    case 'tools/list':
      return deed.list === undefined ? { tools: ['work', 'fault'].map(tool) } : deed.list(io, params);
    case 'tools/call': {
      if (params.name === 'work') return text(params.arguments?.n);
      const done = await (deed.call ?? (() => 'done'))(io, { id: request, token: params._meta?.progressToken });
      return done === undefined ? undefined : text(done);
    }
    default:
      return undefined;
  }
}

deed.start?.(io);
createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.method === undefined) {
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
    return;
  }
  void answer(message).then((result) => {
    if (result !== undefined && message.id !== undefined) send({ id: message.id, result });
  });
});
