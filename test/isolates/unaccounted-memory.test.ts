// Memory that no cell accounts for is laid to the thread that took it, and to nobody else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThreadAccount } from '../../daemon/isolates/thread-accounts.ts';
import { type MemorySuspect, UnaccountedMemory } from '../../daemon/isolates/unaccounted-memory.ts';

class Cell implements ThreadAccount {
  readonly plugin = 'test.cell';
  readonly threadId = 1;
  readonly osThread: number;
  accountedMb = 10;
  descriptors = 0;
  readonly workingSinceMs = undefined;
  readonly allowedMb = 512;
  faultedMb = 20;
  ranMs = 0;

  constructor(osThread: number) {
    this.osThread = osThread;
  }

  end(): void {
    assert.fail('ending it is not for the one who finds it out');
  }
}

class Process {
  readonly cells = new Set<Cell>();
  readonly memory: UnaccountedMemory;
  nowMs = 0;
  rssMb = 100;
  poolMb = 0;

  constructor(boundMb = 100_000) {
    this.memory = new UnaccountedMemory(boundMb);
  }

  cell(): Cell {
    const cell = new Cell(this.cells.size + 1);
    this.cells.add(cell);
    this.rssMb += cell.accountedMb;
    return cell;
  }

  look(): MemorySuspect | undefined {
    this.nowMs += 250;
    return this.memory.look(this.cells, {
      nowMs: this.nowMs,
      rssMb: this.rssMb,
      hostMb: 20,
      poolFaultedMb: this.poolMb,
      faultedMb: (account) => (account as Cell).faultedMb,
      ranMs: (account) => (account as Cell).ranMs,
    });
  }

  /** Pages that stay. */
  take(cell: Cell, mb: number): void {
    cell.faultedMb += mb;
    this.rssMb += mb;
  }

  untilSuspect(step: () => void): MemorySuspect {
    for (let looks = 0; looks < 100; looks += 1) {
      step();
      const suspect = this.look();
      if (suspect !== undefined) return suspect;
    }
    throw new Error('nobody was suspected');
  }
}

test('the cell that takes memory outside its heap is found, also beside one that makes garbage', () => {
  const daemon = new Process();
  const leaky = daemon.cell();
  const busy = daemon.cell();
  daemon.look();
  const { account, what } = daemon.untilSuspect(() => {
    daemon.take(leaky, 40);
    // Its garbage is collected and made again: pages that come and go.
    busy.faultedMb += 8;
  });
  assert.equal(account, leaky);
  assert.match(what, /no cell accounts for/);
  assert.match(what, /limits\.rssMb allows 512/);
});

test('a cell that takes more pages than the growth is not ended for it while another one may have done it', () => {
  const daemon = new Process();
  const leaky = daemon.cell();
  const busy = daemon.cell();
  daemon.look();
  for (let looks = 0; looks < 50; looks += 1) {
    daemon.take(leaky, 40);
    busy.faultedMb += 100;
    assert.equal(daemon.look(), undefined);
  }
  assert.equal(daemon.memory.outsideOf(busy), 0);
});

test('memory that a cell accounts for is not laid to it a second time', () => {
  const daemon = new Process();
  const cell = daemon.cell();
  daemon.look();
  for (let looks = 0; looks < 20; looks += 1) {
    daemon.take(cell, 22);
    cell.accountedMb += 22;
    assert.equal(daemon.look(), undefined);
  }
  assert.ok(daemon.memory.outsideOf(cell) < 10);
});

test('figures that come after the pages put right what was laid to the cell', () => {
  const daemon = new Process();
  const cell = daemon.cell();
  daemon.look();
  daemon.take(cell, 300);
  daemon.look();
  assert.ok(daemon.memory.outsideOf(cell) > 250);
  cell.accountedMb += 300;
  daemon.look();
  assert.ok(daemon.memory.outsideOf(cell) < 10, String(daemon.memory.outsideOf(cell)));
});

test("garbage that is collected and whose pages stay is nobody's growth", () => {
  const daemon = new Process();
  const cell = daemon.cell();
  cell.accountedMb = 400;
  daemon.rssMb += 390;
  daemon.look();
  cell.accountedMb = 20;
  daemon.look();
  assert.ok(daemon.memory.outsideOf(cell) < 10);
});

test("what Node's pool of threads takes is laid to a cell only where that cell alone works", () => {
  const daemon = new Process();
  const one = daemon.cell();
  const other = daemon.cell();
  daemon.look();
  const pool = (): void => {
    daemon.poolMb += 60;
    daemon.rssMb += 60;
  };
  for (let looks = 0; looks < 15; looks += 1) {
    pool();
    one.ranMs += 100;
    other.ranMs += 100;
    assert.equal(daemon.look(), undefined, 'both work');
  }
  const { account } = daemon.untilSuspect(() => {
    pool();
    one.ranMs += 100;
  });
  assert.equal(account, one);
});

test("beyond the daemon's own bound the cell that grew last is a suspicion, and said to be one", () => {
  const daemon = new Process(1000);
  const old = daemon.cell();
  const newest = daemon.cell();
  daemon.look();
  for (let looks = 0; looks < 8; looks += 1) {
    daemon.take(old, 40);
    old.accountedMb += 40;
    daemon.look();
  }
  const { account, what } = daemon.untilSuspect(() => {
    daemon.take(newest, 30);
    newest.accountedMb += 15;
    // Nobody's, as far as anybody can tell.
    daemon.rssMb += 100;
  });
  assert.equal(account, newest);
  assert.match(what, /a suspicion only/);
});

test('after a cell was ended, its memory gets a moment to come back before another is suspected', () => {
  const daemon = new Process(300);
  const first = daemon.cell();
  daemon.cell();
  daemon.look();
  daemon.untilSuspect(() => daemon.take(first, 100));
  daemon.cells.delete(first);
  for (let looks = 0; looks < 7; looks += 1) assert.equal(daemon.look(), undefined);
  daemon.rssMb = 150;
  for (let looks = 0; looks < 20; looks += 1) assert.equal(daemon.look(), undefined);
});

test('what a thread took before it was looked at for the first time is laid to it', () => {
  const daemon = new Process();
  daemon.cell();
  daemon.look();
  const quick = daemon.cell();
  daemon.take(quick, 900);
  assert.equal(daemon.look(), undefined);
  assert.ok(daemon.memory.unsure, 'nothing calls for another look');
  assert.equal(daemon.look()?.account, quick);
});

test('a cell that takes memory right after another one was ended for it is ended as soon', () => {
  const daemon = new Process();
  for (let times = 0; times < 3; times += 1) {
    const cell = daemon.cell();
    daemon.look();
    daemon.take(cell, 900);
    daemon.look();
    assert.equal(daemon.look()?.account, cell);
    assert.equal(daemon.look(), undefined, 'it is ended a second time');
    daemon.cells.delete(cell);
    daemon.rssMb -= 910;
  }
});
