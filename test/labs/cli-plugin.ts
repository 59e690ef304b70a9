// A plugin that does what a test asks for: waits, throws, notes what it is given, and writes what a terminal would
// obey.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const manifest = {
  schemaVersion: 1,
  id: 'test.awkward',
  name: 'Awkward',
  version: '1.0.0',
  entry: './index.js',
  service: { ingresses: [{ name: 'in', kinds: ['any'] }], queue: { capacity: 64 }, timeouts: { handleMs: 60_000 } },
  tools: [{ name: 'sleep', description: '\u001b[2Jwaits', timeoutMs: 60_000 }],
};

const entry = `
import { setTimeout as sleep } from 'node:timers/promises';
let noted = [];
export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    if (payload.do === 'wait') await sleep(payload.ms, undefined, { signal: ctx.signal });
    if (payload.do === 'throw') throw new Error('planned\\u001b[31m trouble\\u001b]0;owned\\u0007');
    if (payload.do === 'note') noted.push(payload.number);
    if (payload.do === 'log') ctx.log.info('\\u001b[31mcoloured\\u001b[0m\\r\\nforged line', { also: '\\u001b[2J' });
    return payload.do === 'tell' ? noted : null;
  },
};
export const tools = { sleep: ({ ms }, ctx) => sleep(ms, 'slept', { signal: ctx.signal }) };
`;

export function awkwardPlugin(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'index.js'), entry);
  return folder;
}
