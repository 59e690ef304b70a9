// How the kit judges what it saw: one thing that is wrong is enough, and lateness is told apart from failure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault, Place } from '../../daemon/faults/fault.ts';
import type { Left, Observation } from '../../daemon/faults/observation.ts';
import { type Row, judge, middleOf, notRun, summaryOf } from '../../daemon/faults/verdict.ts';

const thread: Place = { subject: 'service', isolation: 'thread' };
const fault: Fault = {
  id: 'example',
  group: 'hangs',
  what: 'does something',
  listed: true,
  answers: ['timeout'],
  threads: { hold: 'contains' },
};
const nothing: Left = { threads: 0, descriptors: 0, sockets: 0, processes: 0, rssMb: 3 };
const good: Observation = {
  answer: { kind: 'timeout', code: 'dispatch_timeout', message: 'too late', ms: 510, deadlineMs: 500 },
  recovery: { ms: 80, by: 'itself' },
  crashedLater: false,
  neighbour: { longestGapMs: 25, answers: 40, wrong: null },
  problems: [],
  cause: 'too late: blocked in fault.js:3',
  left: nothing,
  unkillable: 0,
  death: null,
  peakMb: 90,
};
const rowOf = (changes: Partial<Observation>, of: Partial<Fault> = {}, place: Place = thread): Row =>
  judge({ ...fault, ...of }, place, { ...good, ...changes }, 96);

test('a fault is contained when nothing at all is wrong', () => {
  const row = rowOf({});
  assert.deepEqual([row.verdict, row.problems, row.late, row.answered], ['contained', [], [], 'dispatch_timeout']);
  assert.deepEqual([row.answeredMs, row.neighbourGapMs, row.recoveredMs], [510, 25, 80]);
});

test('anything that is wrong makes it not contained, and says what', () => {
  const wrong: [Partial<Observation>, RegExp][] = [
    [{ death: { code: null, signal: 'SIGABRT', overCeiling: false } }, /the daemon died \(SIGABRT\)/],
    [{ death: { code: null, signal: 'SIGKILL', overCeiling: true } }, /grew beyond all bounds/],
    [{ answer: { ...good.answer, kind: 'none', code: null } }, /was not answered/],
    [{ answer: { ...good.answer, kind: 'wrong', code: 'internal' } }, /was answered internal/],
    [{ answer: { ...good.answer, kind: 'answer', code: null } }, /was answered with a result/],
    [{ answer: { ...good.answer, ms: 9000 } }, /answered after 9000 ms/],
    [{ recovery: { ms: null, by: 'itself' } }, /did not work again/],
    [{ recovery: { ms: 80, by: 'command' } }, /started by hand/],
    [{ neighbour: { longestGapMs: 25, answers: 40, wrong: 'the neighbour answered 5' } }, /the neighbour answered 5/],
    [{ neighbour: { longestGapMs: 25, answers: 0, wrong: null } }, /never answered/],
    [{ neighbour: { longestGapMs: 5000, answers: 40, wrong: null } }, /neighbour answered again after 5000 ms/],
    [{ problems: ['a later event paid for it'] }, /a later event paid/],
    [{ left: { ...nothing, threads: 1, processes: 2 } }, /left behind: 1 thread, 2 processes/],
    [{ left: { ...nothing, rssMb: 400 } }, /left behind: 400 MB/],
  ];
  for (const [changes, words] of wrong) {
    const row = rowOf(changes);
    assert.equal(row.verdict, 'not contained', String(words));
    assert.match(row.problems.join('; '), words);
  }
});

test('what took the daemon down and was brought back by its guardian is told apart, with the goal for that', () => {
  const back: Partial<Observation> = {
    answer: { ...good.answer, kind: 'crashed', code: 'connection_closed' },
    byGuardian: true,
  };
  const dies: Partial<Fault> = { answers: ['crashed'], threads: { hold: 'dies', why: 'V8 aborts' } };
  const row = rowOf({ ...back, recovery: { ms: 1400, by: 'itself' } }, dies);
  assert.deepEqual([row.verdict, row.late], ['by the guardian', []]);
  assert.equal(rowOf({ ...back, recovery: { ms: 1600, by: 'itself' } }, dies).late.length, 1);
  assert.equal(rowOf({ ...back, problems: ['nobody was named'] }, dies).verdict, 'not contained');
  assert.equal(
    rowOf({ answer: { ...good.answer, kind: 'crashed' }, unkillable: 1 }, dies).verdict,
    'given up',
    'its thread goes on',
  );
  assert.equal(summaryOf([row]).byGuardian, 1);
});

test('a plugin whose files are at fault is contained though somebody has to start it again', () => {
  assert.equal(rowOf({ recovery: { ms: 80, by: 'command' } }, { needsRepair: true }).verdict, 'contained');
});

test('what was late beyond the goals, but not by far, is contained and told', () => {
  const row = rowOf({
    answer: { ...good.answer, ms: 600 },
    recovery: { ms: 300, by: 'itself' },
    neighbour: { longestGapMs: 120, answers: 40, wrong: null },
  });
  assert.equal(row.verdict, 'contained');
  assert.equal(row.late.length, 3);
});

test('what the guard refused is contained by denial', () => {
  const row = rowOf(
    {
      answer: { ...good.answer, kind: 'failed', code: 'dispatch_failed', ms: 2 },
      cause: 'process.dlopen() is not allowed in a thread cell',
    },
    { answers: ['failed'] },
  );
  assert.equal(row.verdict, 'denied');
});

test('a thread that stays is given up where the catalogue says so, and only in threads', () => {
  const stays = { left: { ...nothing, threads: 1 } };
  const known: Partial<Fault> = { threads: { hold: 'givesUp', why: 'a native call cannot be interrupted' } };
  assert.deepEqual(
    [rowOf(stays, known).verdict, rowOf(stays, known).problems],
    ['given up', ['a native call cannot be interrupted']],
  );
  assert.equal(rowOf({}, known).verdict, 'contained');
  assert.equal(rowOf(stays, known, { subject: 'service', isolation: 'process' }).verdict, 'not contained');
});

test('a crash that was to come after the answer and was not told is a fault of the host', () => {
  const answered = { answer: { ...good.answer, kind: 'answer', code: null, ms: 2 } } as const;
  const late: Partial<Fault> = { answers: ['answer'], crashesLater: true };
  assert.equal(rowOf(answered, late).verdict, 'not contained');
  assert.equal(rowOf({ ...answered, crashedLater: true }, late).verdict, 'contained');
});

test('of several trials the middle figure counts, and a failure of any of them', () => {
  const slow = rowOf({ neighbour: { longestGapMs: 300, answers: 40, wrong: null } });
  const middle = middleOf([slow, rowOf({}), rowOf({ neighbour: { longestGapMs: 50, answers: 40, wrong: null } })]);
  assert.deepEqual([middle.neighbourGapMs, middle.late], [50, []]);
  assert.equal(middleOf([slow, rowOf({ recovery: { ms: null, by: 'itself' } }), rowOf({})]).verdict, 'not contained');
});

test('the summary counts each verdict and every death of a daemon', () => {
  const rows = [
    rowOf({}),
    rowOf({ death: { code: null, signal: 'SIGABRT', overCeiling: false } }),
    notRun(fault, 'it would take the daemon with it'),
    rowOf({ cause: 'ERR_NAGAYA_DENIED' }),
  ];
  assert.deepEqual(summaryOf(rows), {
    faults: 4,
    contained: 1,
    denied: 1,
    byGuardian: 0,
    givenUp: 0,
    notRun: 1,
    notContained: 1,
    inTime: 2,
    daemonDeaths: 1,
  });
});
