// Commands that a durable service sends to a local server, beside one plain fetch after the other.
import { BenchDaemon } from '../bench-daemon.ts';
import { eventAt } from '../payload.ts';
import { commandsEach, senderId, writeSender } from '../plugins.ts';
import { type Column, type Line, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import type { Session } from '../session.ts';
import { Station } from '../station.ts';
import type { Placement, Sample, Subject } from '../subject.ts';

const commands = 'Nagaya, an http output';
const loop = 'fetch in a loop';
const batchEvents = 20;
/** Commands that are on their way before more are published. */
const ahead = 4 * batchEvents * commandsEach;

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'commands/s', unit: 'perSecond' },
  { figure: 'allMicros', title: 'daemon, all threads, per command', unit: 'micros' },
];

async function sink(
  session: Session,
  placement: Placement,
): Promise<{ readonly station: Station; readonly url: string }> {
  const station = await session.holding(Station.start('peers/sink-server', placement));
  return { station, url: await station.ask<string>('listen') };
}

/** The clock stops when the last one was delivered. */
async function commandsSubject(session: Session, placement: Placement): Promise<Subject> {
  const { station, url } = await sink(session, placement);
  const daemon = await session.holding(BenchDaemon.start({ placement }));
  await daemon.load(await writeSender(daemon.folder, url), { start: true });
  const events = Array.from({ length: batchEvents }, () => eventAt(0));
  return {
    name: commands,
    async measure(durationMs): Promise<Sample> {
      const before = await station.ask<number>('count');
      const { allMs } = daemon.cpu;
      const beganMs = performance.now();
      let sent = 0;
      do {
        await daemon.client.call('ingress.publish', { plugin: senderId, events });
        sent += batchEvents * commandsEach;
        await station.ask('until', { least: before + sent - ahead });
      } while (performance.now() - beganMs < durationMs);
      await station.ask('until', { least: before + sent });
      return {
        perSecond: (sent / (performance.now() - beganMs)) * 1000,
        allMicros: ((daemon.cpu.allMs - allMs) * 1000) / sent,
      };
    },
  };
}

async function loopSubject(session: Session, placement: Placement): Promise<Subject> {
  const { url } = await sink(session, placement);
  const station = await session.holding(Station.start('peers/fetch-loop', placement));
  return { name: loop, measure: (durationMs) => station.ask<Sample>('flow', { url, durationMs }) };
}

export const output: Row = {
  name: 'output',
  title: 'commands of a durable service to a local server, over plain fetch in a loop',
  async run(session) {
    const lines: Line[] = [];
    const targets: Target[] = [];
    for (const placement of session.placements) {
      const subjects = [await commandsSubject(session, placement), await loopSubject(session, placement)];
      const of = await Rounds.of(session, { row: 'output', placement, warmUpMs: 1500, roundMs: 600 }, subjects);
      await session.clear();
      lines.push(...of.lines);
      targets.push({
        what: 'commands/s over fetch in a loop',
        placement,
        figure: of.ratio([commands, 'perSecond'], [loop, 'perSecond']),
        atLeast: 0.8,
      });
    }
    return {
      name: output.name,
      title: output.title,
      columns,
      lines,
      verdicts: targets.map(judged),
      notes: [
        `Every event sends ${String(commandsEach)} commands, each with a key of its own, of which limits.outputConcurrency are on their way at once. Each is committed with the event that sent it and again when it is delivered; the loop keeps nothing and tries nothing again.`,
      ],
    };
  },
};
