// Tells that the daemon itself stood still: in its log, and in the timeline of every plugin, because each of them had a
// gap at that time that would otherwise look like its own.
import type { Standstill } from '../time/awake-time.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Host } from './host.ts';

export function reportStandstill({ ms }: Standstill, host: Host, log: Logger): void {
  const message = `the daemon stood still for ${(ms / 1000).toFixed(1)} s: it was stopped, or the machine slept; every deadline is put off by that`;
  log.warn({ stoodStillMs: Math.round(ms) }, message);
  for (const { timeline, service } of host.list()) {
    timeline.record({
      level: 'warn',
      event: 'stood_still',
      message,
      incarnation: service?.incarnation ?? 0,
      data: { stoodStillMs: Math.round(ms) },
    });
  }
}
