// Events that come out of sources and of other services' outputs have a key too: a shared service handles those of one
// key on one member, whichever member they came to.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Member, noServer as skip, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin } from '../labs/placed-plugin.ts';
import { keys, spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

interface Line {
  readonly pid: number;
  readonly key: string;
  readonly from: string;
}

/** What a key may be called outside: not all of it is an identifier. */
const named = keys.map((key) => `the key ${key}/ü`);
const sender = 'test.sender';

function writePlugins(folder: string, journal: string): string[] {
  const [taking, sending] = [join(folder, 'taking'), join(folder, 'sending')];
  writePlugin(taking, {
    manifest: {
      id: plugin,
      service: {
        ingresses: [{ name: 'numbers', kinds: ['number'] }],
        placement: 'shared',
        sources: [
          {
            name: 'hook',
            type: 'webhook',
            ingress: 'numbers',
            kind: 'number',
            verify: { scheme: 'none' },
            keyFrom: { body: '/key' },
          },
        ],
      },
    },
    files: {
      'index.js': `import { appendFileSync } from 'node:fs';
export const service = {
  start() {},
  handleIngress({ payload, source }) {
    const key = (payload.body ?? payload).key;
    appendFileSync(${JSON.stringify(journal)}, JSON.stringify({ pid: process.pid, key, from: source }) + '\\n');
  },
};`,
    },
  });
  writePlugin(sending, {
    manifest: {
      id: sender,
      service: {
        ingresses: [{ name: 'in', kinds: ['go'] }],
        outputs: [{ name: 'on', type: 'event', plugin, ingress: 'numbers', kind: 'number' }],
      },
    },
    files: {
      'index.js': `export const service = {
  start() {},
  handleIngress({ payload: { key } }, ctx) { ctx.send('on', { key }, { key }); },
};`,
    },
  });
  return [taking, sending];
}

async function hookOf({ client }: Member): Promise<string> {
  const { sources } = await untilAnswer(
    'where the webhook is',
    () => client.call('source.list', { plugin }),
    ({ sources: [hook] }) => hook?.url !== undefined && hook.state === 'open',
  );
  return sources[0]?.url ?? '';
}

test('events of sources and outputs go to the member that has their key', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const journal = join(folder, 'journal.ndjson');
  const plugins = writePlugins(folder, journal);
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> =>
    startMember(t, nats, name, { plugins, config: { webhooks: { port: 0 } } });
  const [one, two] = await Promise.all([start('one'), start('two')]);
  await spread([one, two], { one: 4, two: 4 });
  for (const member of [one, two]) {
    const url = await hookOf(member);
    for (const key of named) {
      const { status } = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key }),
      });
      assert.equal(status, 202);
      await member.client.call('ingress.publish', {
        plugin: sender,
        event: { ingress: 'in', kind: 'go', payload: { key } },
      });
    }
  }
  const lines = await untilAnswer(
    'all events',
    () => {
      const text = readFileSync(journal, { encoding: 'utf8', flag: 'a+' });
      return Promise.resolve(
        text
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Line),
      );
    },
    ({ length }) => length === 4 * named.length,
  );
  for (const key of named) {
    const own = lines.filter((line) => line.key === key);
    assert.deepEqual([own.length, new Set(own.map(({ pid }) => pid)).size], [4, 1], key);
    assert.deepEqual(new Set(own.map(({ from }) => from)), new Set(['hook', sender]));
  }
  assert.equal(new Set(lines.map(({ pid }) => pid)).size, 2, 'both members have handled some');
});
