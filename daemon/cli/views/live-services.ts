// The frames of the live view: rates are the difference between two looks at the counters, so that they are right
// whatever pushes were lost in between.
import type { DaemonStatus } from '../../../protocol/operations/daemon.ts';
import type { FeedEvent } from '../../../protocol/operations/telemetry.ts';
import type { ServiceStatus } from '../../../protocol/status.ts';
import { feedEventPieces } from './feed-view.ts';
import { durationText, plural, rateText } from './quantity.ts';
import { liveHeadings, liveRow } from './service-view.ts';
import { table } from './table.ts';
import { type Piece, styled } from './terminal.ts';

interface Look {
  readonly atMs: number;
  readonly enqueued: number;
  readonly settled: number;
}

const keptEvents = 5;

const settledOf = ({ counters }: ServiceStatus): number =>
  counters.handled + counters.failed + counters.deadLettered + counters.discarded;

export class LiveServices {
  readonly #plugin: string | undefined;
  #last = new Map<string, Look>();
  #events: FeedEvent[] = [];
  #dropped = 0;

  constructor(plugin: string | undefined) {
    this.#plugin = plugin;
  }

  note(event: FeedEvent, dropped: number): void {
    this.#dropped = dropped;
    if (event.topic !== 'counters') this.#events = [...this.#events, event].slice(-keptEvents);
  }

  frame(services: readonly ServiceStatus[], daemon: DaemonStatus, atMs: number): Piece[][] {
    const shown = services.filter(({ pluginId }) => this.#plugin === undefined || pluginId === this.#plugin);
    const looks = new Map<string, Look>();
    const rows = shown.map((status) => {
      const look = { atMs, enqueued: status.counters.enqueued, settled: settledOf(status) };
      looks.set(status.pluginId, look);
      return liveRow(status, this.#rates(status.pluginId, look));
    });
    this.#last = looks;
    return [this.#head(daemon), [], ...table(liveHeadings, rows), ...this.#recent()];
  }

  #rates(pluginId: string, now: Look): { enqueued: string; settled: string } {
    const before = this.#last.get(pluginId);
    // A service that was loaded again counts from zero again.
    if (before === undefined || now.atMs <= before.atMs || now.enqueued < before.enqueued)
      return { enqueued: '-', settled: '-' };
    const seconds = (now.atMs - before.atMs) / 1000;
    return {
      enqueued: rateText((now.enqueued - before.enqueued) / seconds),
      settled: rateText((now.settled - before.settled) / seconds),
    };
  }

  #head(daemon: DaemonStatus): Piece[] {
    const { counts } = daemon;
    return [
      styled('bold', `nagaya ${daemon.version}`),
      `  up ${durationText(daemon.uptimeMs)}, rss ${daemon.memory.rssMb.toFixed(0)} MB, ${plural(counts.toolCallsPending, 'tool call')} pending, loop delay p99 ${durationText(daemon.eventLoopDelayMs.p99)}`,
      counts.unkillable > 0 ? styled('red', `, ${String(counts.unkillable)} unkillable`) : '',
      this.#dropped > 0 ? styled('yellow', `, ${plural(this.#dropped, 'event')} missed`) : '',
    ];
  }

  #recent(): Piece[][] {
    if (this.#events.length === 0) return [];
    return [[], ...this.#events.map(feedEventPieces)];
  }
}
