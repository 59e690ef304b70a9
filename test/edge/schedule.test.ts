// Schedules on a virtual clock: when they fire over daylight-saving changes and clock jumps, and what becomes of runs
// that were missed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import type { DueSchedule } from '../../daemon/edge/schedule-policy.ts';
import { type ScheduleSource, operatorSource } from '../../protocol/sources.ts';
import { Schedule } from '../../daemon/edge/schedule.ts';
import { askedOnce, dueRuns, mostRuns } from '../../daemon/edge/schedule-policy.ts';
import { Schedules, nextAfterOf } from '../../daemon/edge/schedules.ts';
import type { LastRuns } from '../../daemon/edge/last-runs.ts';
import type { IntakeOutcome, SourceService } from '../../daemon/edge/source-intake.ts';
import { SourceRow } from '../../daemon/edge/source-row.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

interface Fired {
  readonly scheduledAt: string;
  readonly firedAt: string;
  readonly missed: boolean;
  readonly manual: boolean;
}

class Lab {
  readonly clock: VirtualClock;
  readonly row: SourceRow;
  readonly fired: Fired[] = [];
  readonly notes: { event: string; done: unknown }[] = [];
  remembered: number | undefined;
  accepts = true;
  madeElsewhere: number | undefined;
  refuse: HostError | undefined;
  schedule: Schedule;
  readonly #declaration: DueSchedule;

  constructor(fields: Partial<ScheduleSource>, at: string, lastAt: string = at) {
    this.clock = new VirtualClock(Date.parse(at));
    const whole = { name: 's', type: 'schedule', ingress: 'times', kind: 'due', cron: '0 7 * * *', ...fields };
    this.#declaration = { withinMs: day, ...(operatorSource.parse(whole) as ScheduleSource) };
    const declared = { plugin: 'p', declaration: this.#declaration, kinds: ['due'], isRepliedTo: false, folder: '/' };
    this.row = new SourceRow(declared, false, this.clock.wallMs());
    this.schedule = this.begin(Date.parse(lastAt));
  }

  begin(lastMs: number): Schedule {
    return new Schedule(this.#declaration, lastMs, {
      clock: this.clock,
      row: this.row,
      nextAfter: nextAfterOf(this.#declaration),
      accepts: () => this.accepts,
      publish: async (payload): Promise<IntakeOutcome> => {
        if (this.refuse !== undefined) return { outcome: 'refused', error: this.refuse };
        this.fired.push(payload as Fired);
        return { outcome: 'accepted', eventId: 'e', correlationId: 'c', duplicate: false };
      },
      madeElsewhere: () => this.madeElsewhere,
      remember: (lastMs) => (this.remembered = lastMs),
      note: (event, _message, { done }) => void this.notes.push({ event, done }),
    });
  }

  /** In steps, with what is promised in between done. */
  async advance(ms: number, stepMs = 60_000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(left, stepMs));
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
  }

  get times(): string[] {
    return this.fired.map(({ scheduledAt }) => scheduledAt.replace(':00.000Z', 'Z'));
  }
}

const hour = 3_600_000;
const day = 24 * hour;

const changes: readonly [zone: string, cron: string, from: string, wanted: readonly string[]][] = [
  // 02:30 does not exist on the day in spring, and comes twice on the day in autumn.
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ],
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-10-24T00:00:00Z',
    ['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  [
    'America/New_York',
    '30 2 * * *',
    '2026-03-07T05:00:00Z',
    ['2026-03-07T07:30Z', '2026-03-08T07:00Z', '2026-03-09T06:30Z'],
  ],
  [
    'America/New_York',
    '30 1 * * *',
    '2026-10-31T05:00:00Z',
    ['2026-10-31T05:30Z', '2026-11-01T05:30Z', '2026-11-02T06:30Z'],
  ],
  // Half an hour is moved there, and in the other half of the year.
  [
    'Australia/Lord_Howe',
    '15 2 * * *',
    '2026-10-02T15:00:00Z',
    ['2026-10-02T15:45Z', '2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  ],
  [
    'Australia/Lord_Howe',
    '45 1 * * *',
    '2026-04-03T14:00:00Z',
    ['2026-04-03T14:45Z', '2026-04-04T14:45Z', '2026-04-05T15:15Z'],
  ],
];

for (const [zone, cron, from, wanted] of changes) {
  test(`${cron} in ${zone} from ${from.slice(0, 10)} fires once a day over the change of the clocks`, async () => {
    const lab = new Lab({ cron, timezone: zone }, from);
    await lab.advance(3 * day, 10 * 60_000);
    assert.deepEqual(lab.times, wanted);
    assert.ok(lab.fired.every(({ missed }) => !missed));
    lab.schedule.close();
    assert.equal(lab.clock.pendingTimers, 0);
  });
}

test('an hourly schedule fires in every hour that there is, on the longest and the shortest day', async () => {
  for (const [from, hours] of [
    ['2026-10-24T22:00:30Z', 25],
    ['2026-03-28T23:00:30Z', 23],
  ] as const) {
    const lab = new Lab({ cron: '0 * * * *', timezone: 'Europe/Berlin' }, from);
    await lab.advance(hours * hour, 10 * 60_000);
    assert.equal(lab.fired.length, hours);
    lab.schedule.close();
  }
});

test('a clock that is set forward an hour over a run makes the run a missed one, made up for once', async () => {
  const lab = new Lab({ cron: '30 * * * *' }, '2026-05-01T10:10:00Z');
  await lab.advance(60_000);
  lab.clock.setWall(Date.parse('2026-05-01T11:12:00Z'));
  await lab.advance(60_000);
  assert.deepEqual(
    lab.fired.map(({ scheduledAt, missed }) => [scheduledAt, missed]),
    [['2026-05-01T10:30:00.000Z', true]],
  );
  assert.deepEqual(lab.notes, [{ event: 'run_missed', done: 'fired' }]);
});

test('a clock that is set back an hour fires no run a second time', async () => {
  const lab = new Lab({ cron: '30 * * * *' }, '2026-05-01T10:29:00Z');
  await lab.advance(5 * 60_000);
  assert.deepEqual(lab.times, ['2026-05-01T10:30Z']);
  lab.clock.setWall(Date.parse('2026-05-01T09:40:00Z'));
  await lab.advance(100 * 60_000);
  assert.deepEqual(lab.times, ['2026-05-01T10:30Z']);
  await lab.advance(20 * 60_000);
  assert.deepEqual(lab.times, ['2026-05-01T10:30Z', '2026-05-01T11:30Z']);
});

test('a clock that was a year ahead does not silence the schedule for a year', async () => {
  const lab = new Lab({ cron: '30 * * * *' }, '2027-05-01T10:29:00Z');
  await lab.advance(5 * 60_000);
  lab.clock.setWall(Date.parse('2026-05-01T10:35:00Z'));
  await lab.advance(2 * hour);
  assert.deepEqual(lab.times, ['2027-05-01T10:30Z', '2026-05-01T11:30Z', '2026-05-01T12:30Z']);
  assert.equal(lab.notes[0]?.event, 'clock_went_back');
});

test('a clock that is set forward a year fires what withinMs allows, and not a year of runs', async () => {
  const began = performance.now();
  const lab = new Lab({ cron: '* * * * *', missed: 'all', withinMs: 5 * 60_000 }, '2026-05-01T10:00:30Z');
  lab.clock.setWall(Date.parse('2027-05-01T10:00:30Z'));
  await lab.advance(60_000);
  const missed = lab.fired.filter((one) => one.missed);
  assert.equal(missed.length, 5);
  assert.ok(lab.notes.length <= mostRuns + 1);
  assert.equal(lab.notes[0]?.event, 'runs_missed');
  // Far more than it takes; to look at each of half a million runs would take minutes.
  assert.ok(performance.now() - began < 10_000);
});

const stops: readonly [missed: ScheduleSource['missed'], fired: number, done: readonly unknown[]][] = [
  ['skip', 0, ['skip', 'skip', 'skip']],
  ['once', 1, ['once', 'once', 'fired']],
  ['all', 3, ['fired', 'fired', 'fired']],
];
for (const [missed, count, done] of stops) {
  test(`a daemon that was stopped over three runs: missed ${missed} fires ${String(count)}`, async () => {
    const lab = new Lab({ cron: '0 * * * *', missed }, '2026-05-01T12:30:00Z', '2026-05-01T09:30:00Z');
    await lab.advance(60_000);
    assert.equal(lab.fired.length, count);
    assert.ok(lab.fired.every((one) => one.missed && !one.manual && one.firedAt > one.scheduledAt));
    assert.deepEqual(lab.times, ['2026-05-01T10:00Z', '2026-05-01T11:00Z', '2026-05-01T12:00Z'].slice(3 - count));
    assert.deepEqual(lab.notes.map((note) => note.done).toSorted(), done.toSorted());
    assert.equal(lab.remembered, Date.parse('2026-05-01T12:00:00Z'));
    await lab.advance(30 * 60_000);
    assert.equal(lab.times.at(-1), '2026-05-01T13:00Z');
    assert.equal(lab.fired.at(-1)?.missed, false);
  });

  test(`a service that was stopped over three runs: missed ${missed} fires ${String(count)} when it runs again`, async () => {
    const lab = new Lab({ cron: '0 * * * *', missed }, '2026-05-01T09:30:00Z');
    lab.accepts = false;
    await lab.advance(3 * hour);
    assert.equal(lab.fired.length, 0);
    assert.equal(lab.row.state, 'retrying');
    lab.accepts = true;
    await lab.advance(60_000);
    assert.equal(lab.fired.length, count);
    assert.equal(lab.row.state, 'open');
  });
}

test('runs that another member of a cluster has made are neither made up for nor told as missed', async () => {
  const lab = new Lab({ cron: '0 * * * *', missed: 'all' }, '2026-05-01T09:30:00Z');
  lab.accepts = false;
  await lab.advance(3 * hour);
  // The service comes to this member, which learns of them only then.
  lab.madeElsewhere = Date.parse('2026-05-01T11:00:00Z');
  lab.accepts = true;
  await lab.advance(60_000);
  assert.deepEqual(lab.times, ['2026-05-01T12:00Z']);
  assert.deepEqual(
    lab.notes.map(({ done }) => done),
    ['fired'],
  );
});

test('a run that waits to be taken is not made once another member has made it', async () => {
  const lab = new Lab({ cron: '0 * * * *', missed: 'all' }, '2026-05-01T11:30:00Z');
  lab.refuse = new HostError('queue_full', 'The queue is full.');
  await lab.advance(hour);
  lab.madeElsewhere = Date.parse('2026-05-01T12:00:00Z');
  lab.refuse = undefined;
  await lab.advance(hour);
  assert.deepEqual(lab.times, ['2026-05-01T13:00Z']);
});

test('what is older than withinMs is not made up for', async () => {
  const lab = new Lab(
    { cron: '0 * * * *', missed: 'all', withinMs: 90 * 60_000 },
    '2026-05-01T12:30:00Z',
    '2026-05-01T09:30:00Z',
  );
  await lab.advance(60_000);
  assert.deepEqual(lab.times, ['2026-05-01T11:00Z', '2026-05-01T12:00Z']);
  assert.ok(lab.notes.some(({ done }) => done === 'too_old'));
});

const limited = { cron: '0 * * * *', missed: 'all' } as const;
for (const [own, count] of [
  [undefined, 1],
  [3 * hour, 3],
] as const) {
  test(`a schedule that ${own === undefined ? 'does not say goes by limits.withinMs' : 'says how old a missed run may be is taken at its word'}`, async () => {
    const clock = new VirtualClock(Date.parse('2026-05-01T12:30:00Z'));
    const fired: unknown[] = [];
    const service = {
      lifecycle: 'running',
      acceptsEvents: true,
      subscribes: true,
      publish: (event: unknown) => (fired.push(event), { eventId: 'e', correlationId: 'c' }),
    };
    // It needs no more of a service and of the store than this.
    const schedules = new Schedules({
      clock,
      withinMs: hour,
      lastRuns: { get: () => Date.parse('2026-05-01T09:30:00Z'), set: () => undefined } as unknown as LastRuns,
      service: () => service as unknown as SourceService,
      note: () => undefined,
    });
    const whole = { name: 's', type: 'schedule', ingress: 'times', kind: 'due', ...limited, withinMs: own };
    const declared = {
      plugin: 'p',
      declaration: operatorSource.parse(whole),
      kinds: ['due'],
      isRepliedTo: false,
      folder: '/',
    };
    schedules.declare([new SourceRow(declared, false, clock.wallMs())]);
    for (let step = 0; step < 10; step += 1) {
      clock.advance(10_000);
      await new Promise(setImmediate);
    }
    assert.equal(fired.length, count);
    schedules.close();
  });
}

test('a run that the queue has no room for is fired when there is, and in order', async () => {
  const lab = new Lab({ cron: '* * * * *' }, '2026-05-01T10:00:30Z');
  lab.refuse = new HostError('queue_full', 'full');
  await lab.advance(3 * 60_000);
  assert.equal(lab.fired.length, 0);
  assert.equal(lab.row.state, 'retrying');
  lab.refuse = undefined;
  await lab.advance(10_000, 1000);
  assert.deepEqual(lab.times, ['2026-05-01T10:01Z', '2026-05-01T10:02Z', '2026-05-01T10:03Z']);
  assert.equal(lab.row.state, 'open');
});

test('paused time counts for nothing', async () => {
  const lab = new Lab({ cron: '0 * * * *', missed: 'all' }, '2026-05-01T09:30:00Z');
  lab.row.paused = true;
  lab.schedule.pausedOrResumed();
  await lab.advance(3 * hour);
  assert.equal(lab.row.state, 'paused');
  lab.row.paused = false;
  lab.schedule.pausedOrResumed();
  await lab.advance(hour);
  assert.deepEqual(lab.times, ['2026-05-01T13:00Z']);
});

test('a trigger fires now and changes nothing of when it is due next', async () => {
  const lab = new Lab({ cron: '0 * * * *' }, '2026-05-01T09:30:00Z');
  await lab.schedule.trigger();
  assert.deepEqual(lab.fired, [
    { scheduledAt: '2026-05-01T09:30:00.000Z', firedAt: '2026-05-01T09:30:00.000Z', missed: false, manual: true },
  ]);
  assert.equal(lab.row.nextMs, Date.parse('2026-05-01T10:00:00Z'));
  await lab.advance(hour);
  assert.equal(lab.times.at(-1), '2026-05-01T10:00Z');
});

test('the newest run is on time although others before it were missed', () => {
  const due = dueRuns(
    (afterMs) => Math.floor(afterMs / 1000) * 1000 + 1000,
    { lastMs: 0, nowMs: 10_500 },
    { missed: 'once', withinMs: day },
  );
  assert.deepEqual(due.fire, [{ atMs: 10_000, missed: false }]);
  assert.equal(due.leftOut.length, 9);
});

test('a schedule that nothing is due for waits for no service', async () => {
  const lab = new Lab({}, '2026-03-01T00:00:00Z');
  lab.accepts = false;
  lab.schedule.close();
  lab.row.become('connecting', lab.clock.wallMs());
  lab.schedule = lab.begin(lab.clock.wallMs());
  assert.equal(lab.row.state, 'open');
  assert.equal(lab.row.view(undefined).deafSince, null);
  await lab.advance(8 * hour);
  assert.equal(lab.row.state, 'retrying');
  lab.schedule.close();
});

test('when a run falls is asked once for each run, and again where the clock was set back', () => {
  const asked: number[] = [];
  const nextAfter = askedOnce((afterMs) => {
    asked.push(afterMs);
    return afterMs < 1000 ? Math.floor(afterMs / 100 + 1) * 100 : undefined;
  });
  assert.deepEqual(
    [0, 50, 99, 100, 150, 40, 999, 1000, 5000].map((afterMs) => nextAfter(afterMs)),
    [100, 100, 100, 200, 200, 100, 1000, undefined, undefined],
  );
  assert.deepEqual(asked, [0, 100, 40, 999, 1000]);
});
