// Metrics as text: what has not changed is not written again, and is right all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram } from '../../protocol/cell/histogram.ts';
import { Labels, PrometheusText, Rows } from '../../daemon/telemetry/prometheus.ts';

const told = (use: (rows: Rows) => void, owner?: Labels): string => {
  const text = new PrometheusText();
  use(new Rows(text, owner));
  return text.take();
};

test('a family stands together, with its help and type once, whatever the order of its samples', () => {
  const text = new PrometheusText();
  const [one, other] = [new Rows(text, Labels.of('plugin', 'a')), new Rows(text, Labels.of('plugin', 'b'))];
  one.gauge('nagaya_depth', 'How deep.', 1);
  one.counter('nagaya_events_total', 'Events.', 5, Labels.of('outcome', 'handled'));
  other.gauge('nagaya_depth', 'How deep.', 2);
  other.gauge('nagaya_unknown', 'Not there.', undefined);
  assert.equal(
    text.take(),
    [
      '# HELP nagaya_depth How deep.',
      '# TYPE nagaya_depth gauge',
      'nagaya_depth{plugin="a"} 1',
      'nagaya_depth{plugin="b"} 2',
      '# HELP nagaya_events_total Events.',
      '# TYPE nagaya_events_total counter',
      'nagaya_events_total{plugin="a",outcome="handled"} 5',
      '',
    ].join('\n'),
  );
});

test('a value of a label is escaped, and a row without labels has no braces', () => {
  const odd = told((rows) => rows.gauge('x', 'X.', 1), Labels.of('name', 'a"b\\c\nd'));
  assert.match(odd, /^x\{name="a\\"b\\\\c\\nd"\} 1$/m);
  assert.match(
    told((rows) => rows.gauge('x', 'X.', 1)),
    /^x 1$/m,
  );
});

test('a text that is kept over scrapes is what a new one would be, whatever comes, changes and goes between them', () => {
  const plugin = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    depth: fc.option(fc.nat(2)),
    open: fc.nat(1),
    tools: fc.subarray(['one', 'two', 'three']),
    took: fc.option(fc.nat(5000)),
  });
  const scrapes = fc.array(fc.uniqueArray(plugin, { selector: ({ id }) => id }), { maxLength: 12 });
  type Figures = typeof plugin extends fc.Arbitrary<infer Value> ? Value : never;
  const write = (rows: Rows, { depth, open, tools }: Figures, times: Histogram): void => {
    rows.begin();
    rows.gauge('depth', 'How deep.', depth);
    if (open === 1) rows.counter('opened_total', 'Open.', open, rows.labels.and('state', 'open'));
    for (const tool of tools) rows.counter('calls_total', 'Calls.', depth, rows.labels.and('tool', tool));
    rows.histogram('took_seconds', 'Time.', times);
  };
  fc.assert(
    fc.property(scrapes, (all) => {
      const kept = new PrometheusText();
      const known = new Map(
        ['a', 'b', 'c'].map((id) => [id, { rows: new Rows(kept, Labels.of('plugin', id)), times: new Histogram() }]),
      );
      for (const plugins of all) {
        const fresh = new PrometheusText();
        for (const figures of plugins) {
          const { rows, times } = known.get(figures.id) ?? assert.fail();
          if (figures.took !== null) times.record(figures.took);
          write(rows, figures, times);
          write(new Rows(fresh, Labels.of('plugin', figures.id)), figures, times);
        }
        const families = (text: string): string[] => text.split(/(?=# HELP)/).sort();
        assert.deepEqual(families(kept.take()), families(fresh.take()));
      }
    }),
  );
});

test('a histogram is written again as soon as a duration is added, and is the same text until then', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { maxLength: 30 }), (durations) => {
      const text = new PrometheusText();
      const rows = new Rows(text, Labels.of('plugin', 'a'));
      const histogram = new Histogram();
      const write = (): string => {
        rows.begin();
        rows.histogram('x', 'X.', histogram);
        return text.take();
      };
      for (const duration of durations) {
        histogram.record(duration);
        const written = told((fresh) => fresh.histogram('x', 'X.', histogram), Labels.of('plugin', 'a'));
        assert.equal(write(), written);
        assert.equal(write(), written);
      }
      assert.match(write(), new RegExp(`x_count\\{plugin="a"\\} ${String(durations.length)}\n$`));
    }),
  );
});
