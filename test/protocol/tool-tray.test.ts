// The memory that host and thread share while calls are on their way together, held for any order of what they do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TextWriter } from '../../protocol/cell/text-writer.ts';
import { ToolTray, trayCalls } from '../../protocol/cell/tool-tray.ts';

// The types do not know it.
const write = Reflect.get(Buffer.prototype, 'utf8Write') as TextWriter;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('cell' as const),
      json: fc.string({ unit: 'grapheme', maxLength: 3000 }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'collect' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
);

test('in any order of what host and thread do, answers are found in full, and what was taken back never begins', () => {
  const hosts = new ToolTray(0);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      hosts.clear();
      const cells = new ToolTray(0, hosts.buffer);
      const written: (string | undefined)[] = [];
      let read = 0;
      let closedAt: number | undefined;
      const collect = (): void => {
        for (; read < hosts.done; read += 1) {
          const kept = hosts.take(read);
          assert.equal(kept?.json, written[read]);
          if (kept !== undefined) assert.equal(kept.durationMs, read + 0.5);
        }
      };
      for (const each of steps) {
        if (each.kind === 'collect') {
          collect();
        } else if (each.kind === 'close') {
          assert.equal(hosts.close(), closedAt ?? written.length);
          closedAt ??= written.length;
        } else if (written.length < trayCalls) {
          const index = written.length;
          const begins = cells.begin(index);
          assert.equal(begins, closedAt === undefined);
          if (!begins) continue;
          assert.equal(hosts.begun, index + 1);
          assert.equal(hosts.done, index);
          const kept = cells.put(index, { json: each.json, durationMs: index + 0.5 }, write);
          if (!kept) cells.pass(index);
          written.push(kept ? each.json : undefined);
        }
        assert.equal(hosts.begun, written.length);
        assert.equal(hosts.done, written.length);
      }
      collect();
      assert.equal(read, written.length);
    }),
  );
});

test('a tray that goes out again knows nothing of its last way', () => {
  const hosts = new ToolTray(3);
  const cells = new ToolTray(3, hosts.buffer);
  for (let round = 0; round < 3; round += 1) {
    cells.rewind();
    assert.equal(cells.begin(0), true);
    assert.equal(cells.put(0, { json: `"round ${String(round)}"`, durationMs: round }, write), true);
    assert.deepEqual(hosts.take(0), { json: `"round ${String(round)}"`, durationMs: round });
    hosts.close();
    assert.equal(cells.begin(1), false);
    hosts.clear();
    assert.deepEqual([hosts.begun, hosts.done], [0, 0]);
  }
});
