// Metrics as text: what has not changed is not written again, and is right all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram } from '../../protocol/cell/histogram.ts';
import { Labels, PrometheusText } from '../../daemon/telemetry/prometheus.ts';

test('a family stands together, with its help and type once, whatever the order of its samples', () => {
  const text = new PrometheusText();
  const [one, other] = [Labels.of('plugin', 'a'), Labels.of('plugin', 'b')];
  text.gauge('nagaya_depth', 'How deep.', 1, one);
  text.counter('nagaya_events_total', 'Events.', 5, one.and('outcome', 'handled'));
  text.gauge('nagaya_depth', 'How deep.', 2, other);
  text.gauge('nagaya_unknown', 'Not there.', undefined, other);
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

test('a value of a label is escaped, and a set without labels has no braces', () => {
  const odd = Labels.of('name', 'a"b\\c\nd');
  assert.equal(odd.line('x', 1), 'x{name="a\\"b\\\\c\\nd"} 1\n');
  assert.equal(Labels.none.line('x', 1), 'x 1\n');
});

test('what is kept of the scrape before is never told for another value', () => {
  const labels = Labels.of('plugin', 'a');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 20 }), (values) => {
      for (const value of values) assert.equal(labels.line('x', value), `x{plugin="a"} ${String(value)}\n`);
    }),
  );
});

test('a text that is kept over scrapes is what a new one would be, whatever comes, changes and goes between them', () => {
  const plugin = fc.record({ id: fc.constantFrom('a', 'b', 'c'), depth: fc.option(fc.nat(2)), open: fc.nat(1) });
  const scrapes = fc.array(fc.uniqueArray(plugin, { selector: ({ id }) => id }), { maxLength: 12 });
  const write = (
    text: PrometheusText,
    labels: Labels,
    { depth, open }: { depth: number | null; open: number },
  ): void => {
    text.gauge('depth', 'How deep.', depth, labels);
    if (open === 1) text.counter('opened_total', 'Open.', open, labels.and('state', 'open'));
  };
  fc.assert(
    fc.property(scrapes, (all) => {
      const kept = new PrometheusText();
      const known = new Map(['a', 'b', 'c'].map((id) => [id, Labels.of('plugin', id)]));
      for (const plugins of all) {
        const fresh = new PrometheusText();
        for (const figures of plugins) {
          write(kept, known.get(figures.id) ?? Labels.none, figures);
          write(fresh, Labels.of('plugin', figures.id), figures);
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
      const [labels, fresh] = [Labels.of('plugin', 'a'), () => Labels.of('plugin', 'a')];
      const histogram = new Histogram();
      for (const duration of durations) {
        histogram.record(duration);
        const written = fresh().histogram('x', histogram);
        assert.equal(labels.histogram('x', histogram), written);
        assert.equal(labels.histogram('x', histogram), written);
      }
      assert.match(
        fresh().histogram('x', histogram),
        new RegExp(`x_count\\{plugin="a"\\} ${String(durations.length)}\n$`),
      );
    }),
  );
});
