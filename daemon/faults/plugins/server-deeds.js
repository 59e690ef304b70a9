// What MCP servers do wrong: before they are ready (`start`, `initialize`, `list`), or in a call of their tool `fault`,
// whose answer is `done` where the deed leaves room for one.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const initialized = (protocolVersion) => ({
  protocolVersion,
  capabilities: { tools: {} },
  serverInfo: { name: 'faulty', version: '1.0.0' },
});
const never = undefined;
const unasked = `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/unasked' })}\n`;

export const deeds = {
  'mcp-exits-at-start': { start: () => process.exit(3) },
  'mcp-hangs-in-initialize': { initialize: () => never },
  'mcp-refuses-initialize': {
    initialize(io, { id }) {
      io.send({ id, error: { code: -32603, message: 'not today' } });
    },
  },
  'mcp-garbage-at-start': {
    start() {
      for (let line = 0; line < 1000; line += 1) process.stdout.write('this is no message\n');
    },
  },
  'mcp-unknown-version': { initialize: () => initialized('1999-01-01') },
  'mcp-lists-nonsense': { list: () => ({ tools: 'many' }) },
  'mcp-endless-pages': {
    list: (io, { cursor = '0' }) => ({ tools: [io.tool(`t${cursor}`)], nextCursor: String(Number(cursor) + 1) }),
  },
  'mcp-many-tools': {
    list: (io) => ({ tools: Array.from({ length: 100_000 }, (_, at) => ({ ...io.tool(`t${at}`), description: '' })) }),
  },
  'mcp-bad-schemas': {
    list: (io) => ({
      tools: [
        io.tool('work'),
        { ...io.tool('fault'), inputSchema: { type: 'object', $ref: '#' }, outputSchema: { $ref: '#/nowhere' } },
        { ...io.tool('text'), inputSchema: 'a schema', outputSchema: 7, annotations: 'none', title: 5, description: {} },
        { ...io.tool('pattern'), inputSchema: { type: 'object', patternProperties: { '^(a+)+$': { type: 'no type' } } } },
        { ...io.tool('deep'), inputSchema: { type: 'object', properties: { a: 'x'.repeat(200_000) } } },
      ],
    }),
  },
  'mcp-dies-in-call': () => process.exit(7),
  'mcp-segfault': () => (process.kill(process.pid, 'SIGSEGV'), never),
  'mcp-never-answers': () => never,
  'mcp-blocks': () => {
    for (;;);
  },
  'mcp-garbage': () => {
    for (let line = 0; line < 1000; line += 1) process.stdout.write(`{"jsonrpc":"2.0","id":${line + 1_000_000}\n`);
  },
  'mcp-flood': () => {
    setInterval(() => process.stdout.write(unasked.repeat(5000)), 5);
  },
  'mcp-long-line': () => {
    const piece = 'x'.repeat(1024 * 1024);
    for (let written = 0; written < 65; written += 1) process.stdout.write(piece);
  },
  'mcp-deep-answer': (_, { id }) => {
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}\n`);
  },
  'mcp-batch-bomb': () => {
    process.stdout.write(`[${`${unasked.trim()},`.repeat(100_000)}${unasked.trim()}]\n`);
    return 'done';
  },
  'mcp-huge-answer': () => 'x'.repeat(3_000_000),
  'mcp-wrong-id': (io, { id }) => {
    for (const wrong of [id + 1000, String(id), null, { id }, -1]) io.send({ id: wrong, result: io.text('done') });
  },
  'mcp-answers-twice': (io, { id }) => {
    io.send({ id, result: io.text('done') });
    io.send({ id, result: io.text('something else') });
  },
  'mcp-answers-nothing': (io, { id }) => io.send({ id }) && never,
  'mcp-closes-stdout': () => {
    process.stdin.ref();
    closeSync(1);
  },
  'mcp-closes-stdin': () => {
    setInterval(() => undefined, 1000);
    process.stdin.destroy();
  },
  'mcp-endless-progress': (io, { token }) => {
    let progress = 0;
    setInterval(
      () => io.send({ method: 'notifications/progress', params: { progressToken: token, progress: (progress += 1) } }),
      20,
    );
  },
  'mcp-odd-progress': (io, { token }) => {
    for (const params of [
      { progressToken: token, progress: 'much' },
      { progressToken: token, progress: 5, total: 'all', message: 7 },
      { progressToken: token, progress: -3 },
      { progressToken: 'somebody else', progress: 1 },
      {},
    ])
      io.send({ method: 'notifications/progress', params });
    return 'done';
  },
  'mcp-list-storm': (io) => {
    setInterval(() => {
      for (let at = 0; at < 5; at += 1) io.send({ method: 'notifications/tools/list_changed' });
    }, 10);
    return 'done';
  },
  'mcp-stderr-flood': () => {
    setInterval(() => process.stderr.write(`${'noise '.repeat(2000)}\n`), 1);
    return 'done';
  },
  async 'mcp-asks-for-model'(io) {
    const methods = ['sampling/createMessage', 'elicitation/create', 'roots/list'];
    let granted = 0;
    for (let first = 0; first < 300; first += 30) {
      const asked = Array.from({ length: 30 }, (_, at) => io.ask(`ask-${first + at}`, methods[at % 3], {}));
      for (const { error } of await Promise.all(asked)) if (error?.data?.code !== 'unsupported_operation') granted += 1;
    }
    return granted === 0 ? 'done' : `${granted} were granted`;
  },
  'mcp-grows': () => {
    const kept = [];
    setInterval(() => kept.push(Buffer.alloc(32 * 1024 * 1024, 1)), 10);
  },
  'mcp-descriptors': () => {
    const kept = [];
    for (let opened = 0; opened < 500; opened += 1) kept.push(openSync('/dev/null'));
    setInterval(() => kept.push(openSync('/dev/null')), 5);
  },
  'mcp-forks': () => {
    const stays = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
    for (const detached of [true, true, false])
      spawn(process.execPath, ['-e', stays], { detached, stdio: ['ignore', 'inherit', 'inherit'] });
    setTimeout(() => process.exit(7), 1500);
  },
  'mcp-ignores-signals': () => {
    process.on('SIGTERM', () => {});
    setInterval(() => undefined, 1000);
    return 'done';
  },
};
