// The plugins of the soak with kills: each writes a line before and after it handles an event, and does with it what
// the event's number says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Isolation } from '../../protocol/manifest.ts';

/** The share of events, of a thousand, that do something else than to be handled. */
const faultsOf1000 = { throws: 20, hangs: 2, exits: 4 } as const;

const code = (log: string): string => `import { appendFileSync } from 'node:fs';
const log = ${JSON.stringify(log)};
const says = (what, { payload: { n }, attempt }) => appendFileSync(log, what + ' ' + n + ' ' + attempt + '\\n');
const { throws, hangs, exits } = ${JSON.stringify(faultsOf1000)};
export const service = {
  start() {},
  async handleIngress(event, ctx) {
    says('b', event);
    const place = (event.payload.n * 7919) % 1000;
    // Each of them works at its second attempt.
    if (event.attempt === 1) {
      if (place < throws) throw new Error('thrown');
      if (place < throws + hangs) await new Promise(() => {});
      if (place < throws + hangs + exits) process.exit(3);
    }
    ctx.state.set('count', (ctx.state.get('count') ?? 0) + 1);
    says('h', event);
  },
};
`;

export function writeKillPlugin(folder: string, id: string, isolation: Isolation): void {
  const target = join(folder, id);
  mkdirSync(target, { recursive: true });
  writeFileSync(
    join(target, 'plugin.json'),
    JSON.stringify({
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      entry: './index.js',
      isolation,
      service: {
        ingresses: [{ name: 'in', kinds: ['do'] }],
        queue: { durability: 'disk', capacity: 200_000, maxBytes: 65_536 },
        timeouts: { handleMs: 500 },
        restart: { policy: 'on-failure', intensity: 1000, periodMs: 1000, backoffMs: [5, 50] },
        retry: { maxAttempts: 50, backoffMs: [5, 50] },
      },
    }),
  );
  writeFileSync(join(target, 'index.js'), code(join(target, 'log')));
}

export interface Line {
  readonly what: 'b' | 'h';
  readonly n: number;
  readonly attempt: number;
}

/** What the plugin wrote, in order. */
export function linesOf(folder: string, id: string): Line[] {
  let text = '';
  try {
    text = readFileSync(join(folder, id, 'log'), 'utf8');
  } catch {
    // No event has come to it yet.
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', n = '', attempt = ''] = line.split(' ');
      return { what: what === 'h' ? 'h' : 'b', n: Number(n), attempt: Number(attempt) };
    });
}
