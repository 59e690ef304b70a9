// Tool calls of MCP clients, over the standard streams of `nagaya mcp` and over HTTP, against a bare server of the SDK
// with the same tool; and that bare server hosted by Nagaya, against itself called directly.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchDaemon } from '../bench-daemon.ts';
import type { McpFigures, McpPlan } from '../load/mcp-station.ts';
import { command, program } from '../place.ts';
import { toolId, toolName, writeTool } from '../plugins.ts';
import { type Column, type Row, type Target, judged } from '../row.ts';
import { Rounds } from '../rounds.ts';
import type { Session } from '../session.ts';
import { Station, commandLine } from '../station.ts';
import type { Placement, Subject } from '../subject.ts';

const overStreams = 'Nagaya, `nagaya mcp`, pooled tool';
const overHttp = 'Nagaya, /mcp, pooled tool';
const hosted = 'Nagaya, hosted server';
const bareStreams = 'SDK, standard streams';
const bareHttp = 'SDK, HTTP';
const hostedId = 'bench.hosted';
const window = 16;

async function subject(session: Session, placement: Placement, name: string, plan: McpPlan): Promise<Subject> {
  const station = await session.holding(Station.start('load/mcp-station', placement));
  await station.ask('open', plan);
  return { name, measure: (durationMs) => station.ask<McpFigures>('measure', { durationMs, window }) };
}

/** The bare server as a plugin. */
async function writeHosted(folder: string, placement: Placement): Promise<string> {
  const target = join(folder, hostedId);
  await mkdir(target, { recursive: true });
  const [first, args] = commandLine(placement, [program('peers/mcp-server')]);
  const mcp = { command: first, args, concurrency: window };
  await writeFile(
    join(target, 'plugin.json'),
    JSON.stringify({ schemaVersion: 1, id: hostedId, name: hostedId, version: '1.0.0', mcp }),
  );
  return target;
}

const nameFor = (plugin: string): string => `${plugin.replaceAll('.', '_')}__${toolName}`;

async function subjectsOf(session: Session, placement: Placement): Promise<Subject[]> {
  const daemon = await session.holding(BenchDaemon.start({ placement, config: { http: { port: 0 } } }));
  await daemon.load(await writeTool(daemon.folder, 'pooled'), { start: false });
  await daemon.load(await writeHosted(daemon.folder, placement), { start: true });
  const http = await session.holding(Station.start('peers/mcp-server', placement));
  const [pipe, pipeArgs] = commandLine(placement, [command, 'mcp', '--socket', daemon.socket]);
  const [bare, bareArgs] = commandLine(placement, [program('peers/mcp-server')]);
  const access = await daemon.client.call('mcp.access', {});
  const url = await http.ask<string>('listen');
  return [
    await subject(session, placement, overStreams, { command: pipe, args: pipeArgs, tool: nameFor(toolId) }),
    await subject(session, placement, bareStreams, { command: bare, args: bareArgs, tool: toolName }),
    await subject(session, placement, overHttp, { ...access, tool: nameFor(toolId) }),
    await subject(session, placement, bareHttp, { url, tool: toolName }),
    await subject(session, placement, hosted, { command: pipe, args: pipeArgs, tool: nameFor(hostedId) }),
  ];
}

const columns: readonly Column[] = [
  { figure: 'perSecond', title: 'calls/s', unit: 'perSecond' },
  { figure: 'p50', title: 'p50', unit: 'micros' },
  { figure: 'p99', title: 'p99', unit: 'micros' },
];

function targetsOf(of: Rounds): Target[] {
  const { placement } = of;
  const rate = (what: string, nagaya: string, bare: string): Target => ({
    what,
    placement,
    figure: of.ratio([nagaya, 'perSecond'], [bare, 'perSecond']),
    atLeast: 0.7,
  });
  const lone = (what: string, nagaya: string, bare: string): Target => ({
    what,
    placement,
    figure: of.ratio([bare, 'p50'], [nagaya, 'p50']),
    atLeast: 0.7,
  });
  return [
    rate('calls/s over a bare server, standard streams', overStreams, bareStreams),
    rate('calls/s over a bare server, HTTP', overHttp, bareHttp),
    lone("p50 of a bare server over Nagaya's, standard streams", overStreams, bareStreams),
    lone("p50 of a bare server over Nagaya's, HTTP", overHttp, bareHttp),
    {
      what: 'p50 of a hosted server over the same one called directly',
      placement,
      figure: of.ratio([hosted, 'p50'], [bareStreams, 'p50']),
      atMost: 1.5,
    },
  ];
}

export const mcp: Row = {
  name: 'mcp',
  title: 'tool calls of MCP clients',
  async run(session) {
    const rounds: Rounds[] = [];
    for (const placement of session.placements) {
      const subjects = await subjectsOf(session, placement);
      rounds.push(await Rounds.of(session, { row: 'mcp', placement, warmUpMs: 1000, roundMs: 600 }, subjects));
      await session.clear();
    }
    return {
      name: mcp.name,
      title: mcp.title,
      columns,
      lines: rounds.flatMap(({ lines }) => lines),
      verdicts: rounds.flatMap(targetsOf).map(judged),
      notes: [
        `The client is the official one of the older generation, with ${String(window)} calls unanswered, and with one at a time for p50 and p99. A call through Nagaya crosses the pipe, the daemon's main thread, its MCP thread and the tool's own thread; the bare server answers in the process that it is.`,
      ],
    };
  },
};
