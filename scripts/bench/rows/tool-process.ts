// A tool with process isolation: every call has a process of its own. Compared with what one would write by hand for
// that, a fork for each call, and with tinypool's own child processes, of which each is used once.
import { eventAt, requestLine } from '../payload.ts';
import { toolId, toolName } from '../plugins.ts';
import { type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import { lineLoad, toolDaemon } from '../servers.ts';
import type { Session } from '../session.ts';
import { loneSubject, waySubject } from '../socket-subject.ts';
import type { Placement, Subject } from '../subject.ts';
import { loneColumns } from './lone-event.ts';

const nagaya = 'Nagaya, tool.call, a process for each call';
const fork = 'fork with IPC, a process for each call';
const tinypool = 'tinypool, a child process for each call';

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await toolDaemon(session, placement, 2, 'process');
  const line = requestLine('tool.call', { plugin: toolId, tool: toolName, input: eventAt(0) });
  return await Promise.all([
    loneSubject(session, { name: nagaya, placement, load: lineLoad(daemon.socket, [line]), server: daemon }),
    waySubject(session, fork, 'fork-each', placement, 'lone'),
    waySubject(session, tinypool, 'tinypool-each', placement, 'lone'),
  ]);
}

export const toolProcess: Row = {
  name: 'tool-process',
  title: 'tool calls one at a time, each in a process of its own',
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      rounds.push(
        await Rounds.of(
          session,
          { row: 'tool-process', placement, warmUpMs: 500, roundMs: 1000 },
          await subjectsOf(session, placement),
        ),
      );
      await session.clear();
    }
    const targets = rounds.map((of): Target => ({
      what: `p50 over ${fork}`,
      placement: of.placement,
      figure: of.ratio([nagaya, 'p50'], [fork, 'p50']),
      atMost: 1.5,
    }));
    return {
      name: toolProcess.name,
      title: toolProcess.title,
      columns: loneColumns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: targets.map(judged),
      notes: [
        'Calls follow each other without a pause, so that the process that Nagaya keeps ready is still starting when the next call comes. A fork by hand has no watchdog, no schemas, no log and no deadline.',
      ],
    };
  },
};
