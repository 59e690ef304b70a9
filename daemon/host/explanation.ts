// How a plugin is and what went wrong with it, in sentences: what happened, why, and what to do about it. The timeline
// tells every step in order; this tells what a person has to know who comes to the plugin now.
import { type ErrorCode, errorKinds } from '../../protocol/errors.ts';
import type { OutputStatus } from '../../protocol/operations/output.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import type { Explanation, TimelineEntry } from '../../protocol/operations/telemetry.ts';
import { plural, sentence } from '../../protocol/plural.ts';
import { durationText, timeText } from '../../protocol/time-text.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { PluginOutputs } from '../outputs/plugin-outputs.ts';
import type { Service } from '../services/service.ts';
import type { Timeline } from '../telemetry/timeline.ts';
import type { RunningTools } from '../tools/running-tools.ts';
import type { ToolBooks } from '../tools/tool-books.ts';
import type { ListedTool } from './plugin-server.ts';

interface Explained {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly service: Service | undefined;
  readonly timeline: Pick<Timeline, 'newest'>;
  readonly outputs: Pick<PluginOutputs, 'list'>;
  readonly toolBooks: ToolBooks;
  readonly tools: Pick<RunningTools, 'pending'>;
  readonly toolList: readonly ListedTool[];
  readonly inputs: Readonly<Record<'done' | 'failed' | 'cancelled', number>>;
}

export interface ExplanationParts {
  readonly hosted: Explained;
  readonly sources: readonly SourceStatus[];
}

type About = Explanation['about'];

/** What is wrong stands first. */
export function explanation(parts: ExplanationParts): Explanation[] {
  const { hosted, sources } = parts;
  const { plugin, service } = hosted;
  const status = service?.status();
  const told = [
    ...(plugin.enabled
      ? []
      : [fact('plugin', 'warn', 'The configuration disables the plugin.', remedyOf('plugin_disabled', hosted.id))]),
    ...(status === undefined
      ? []
      : [ofState(status), ...ofRestarts(hosted, status), ...ofQueue(status), ...ofEvents(status)]),
    ...ofFailures(hosted),
    ...ofNotices(hosted),
    ...ofTools(hosted),
    ...ofWorkers(hosted),
    ...sources.flatMap(ofSource),
    ...hosted.outputs.list().flatMap(ofOutput),
    ...plugin.notes.map((note) => fact('plugin', 'warn', sentence(note))),
  ];
  if (told.length === 0) told.push(fact('plugin', 'info', 'The plugin is loaded and has done nothing yet.'));
  const order = { error: 0, warn: 1, info: 2 } as const;
  // How the service is comes first in any case.
  const [head, ...rest] = told;
  return [...(head === undefined ? [] : [head]), ...rest.sort((one, other) => order[one.level] - order[other.level])];
}

const fact = (about: About, level: Explanation['level'], what: string, remedy: string | null = null): Explanation => ({
  about,
  level,
  at: null,
  what,
  why: null,
  remedy,
});

/** The registry's words, with the plugin's name in them. */
function remedyOf(code: string, plugin: string): string | null {
  const kind = Object.hasOwn(errorKinds, code) ? errorKinds[code as ErrorCode] : undefined;
  return kind === undefined ? null : kind.remedy.replaceAll('ID', plugin).replace('<id>', plugin);
}

function ofState(status: ServiceStatus): Explanation {
  const { pluginId, lifecycle, incarnation, startedAt, uptimeMs, restart, lastError, diagnostics } = status;
  const last = diagnostics.findLast(({ event }) => event === lifecycle);
  const at = last?.at ?? null;
  const why = lastError === null ? null : sentence(lastError.message);
  switch (lifecycle) {
    case 'running':
      return fact(
        'service',
        'info',
        `The service runs since ${timeText(startedAt ?? '')} (${durationText(uptimeMs)}), in incarnation ${String(incarnation)}.`,
      );
    case 'failed':
      if (restart?.pending === true) {
        const when = restart.nextAt === null ? '' : ` at ${timeText(restart.nextAt)}`;
        return {
          about: 'service',
          level: 'warn',
          at,
          what: `The service has failed and is started again${when}.`,
          why,
          remedy: null,
        };
      }
      return {
        about: 'service',
        level: 'error',
        at,
        what: 'The service was given up and handles nothing.',
        why: diagnostics.findLast(({ event }) => event === 'gave_up')?.message ?? why,
        remedy: `Fix what it says, run \`nagaya reload ${pluginId}\` if the plugin changed, and \`nagaya start ${pluginId}\`.`,
      };
    case 'ready':
      return fact('service', 'info', 'The service has not been started.', `Run \`nagaya start ${pluginId}\`.`);
    case 'stopped':
      return {
        about: 'service',
        level: 'info',
        at,
        what: 'The service was told to stop, and is stopped.',
        why: null,
        remedy: `Run \`nagaya start ${pluginId}\` if it is to handle events again.`,
      };
    case 'starting':
    case 'stopping':
      return { about: 'service', level: 'info', at, what: `The service is ${lifecycle}.`, why: null, remedy: null };
  }
}

function ofRestarts({ timeline }: Explained, { counters, restart }: ServiceStatus): Explanation[] {
  if (counters.restarts === 0 || restart?.pending === false) return [];
  const last = timeline.newest(1000).findLast(({ event }) => event === 'restarted');
  return [
    {
      about: 'service',
      level: 'warn',
      at: last?.at ?? null,
      what: `Its supervisor has restarted it ${plural(counters.restarts, 'time')}${last === undefined ? '.' : `. ${last.message}`}`,
      why: null,
      remedy: null,
    },
  ];
}

function ofQueue({ pluginId, queue, retrying, counters, inFlight, cpuShare }: ServiceStatus): Explanation[] {
  const told: Explanation[] = [];
  if (queue.depth >= queue.capacity)
    told.push(
      fact(
        'events',
        'error',
        `Its queue is full: ${plural(queue.depth, 'event waits', 'events wait')}, the oldest for ${durationText(queue.oldestAgeMs)}, and ${plural(counters.rejected.queueFull, 'event was', 'events were')} refused.`,
        'Make the handler quicker, let publishers `wait`, or raise `service.queue.capacity`.',
      ),
    );
  else if (queue.depth > 0)
    told.push(
      fact(
        'events',
        'info',
        `${plural(queue.depth, 'event waits', 'events wait')}, the oldest for ${durationText(queue.oldestAgeMs)}.`,
      ),
    );
  if (retrying.count > 0)
    told.push(
      fact(
        'events',
        'warn',
        `${plural(retrying.count, 'event waits', 'events wait')} for another attempt${retrying.nextAt === null ? '' : `, the first until ${timeText(retrying.nextAt)}`}.`,
      ),
    );
  if (inFlight !== null && inFlight.sinceMs > 1000)
    told.push(
      fact('events', 'info', `It has handled the event ${inFlight.eventId} for ${durationText(inFlight.sinceMs)}.`),
    );
  if (cpuShare !== null && cpuShare.state !== 'within')
    told.push(
      fact(
        'service',
        'warn',
        cpuShare.state === 'paused'
          ? 'It is paused between events, because it used more than its share of the processor.'
          : 'Its priority is lowered, because it used more than its share of the processor.',
        `Let it compute less, or raise \`plugins.overrides.${pluginId}.limits.cpuShare\`.`,
      ),
    );
  return told;
}

function ofEvents({ pluginId, counters, deadLetters, handleMs }: ServiceStatus): Explanation[] {
  const told: Explanation[] = [];
  if (deadLetters.count > 0)
    told.push(
      fact(
        'events',
        'warn',
        `${plural(deadLetters.count, 'event could not be handled and is kept as a dead letter', 'events could not be handled and are kept as dead letters')}.`,
        `Look at them with \`nagaya dead-letters list ${pluginId}\`; send them again with \`nagaya dead-letters replay ${pluginId}\` once the cause is fixed.`,
      ),
    );
  if (counters.enqueued > 0) {
    const slow =
      handleMs.count === 0
        ? ''
        : ` The handler takes ${durationText(handleMs.p50)} (median), ${durationText(handleMs.p99)} (p99).`;
    const parts = [
      `${String(counters.handled)} handled`,
      ...(counters.failed > 0 ? [`${String(counters.failed)} failed, and their callers were told`] : []),
      ...(counters.deadLettered > 0 ? [`${String(counters.deadLettered)} became dead letters`] : []),
      ...(counters.discarded > 0 ? [`${String(counters.discarded)} discarded`] : []),
    ];
    told.push(fact('events', 'info', `Of ${plural(counters.enqueued, 'accepted event')}, ${parts.join(', ')}.${slow}`));
  }
  const { invalidEvent, notAccepting } = counters.rejected;
  if (invalidEvent + notAccepting > 0)
    told.push(
      fact(
        'events',
        'info',
        `${plural(invalidEvent + notAccepting, 'event was', 'events were')} refused: ${String(invalidEvent)} malformed, ${String(notAccepting)} while the service took none.`,
      ),
    );
  return told;
}

const failureSubjects: Readonly<Record<'tools' | 'workers' | 'events', readonly [one: string, many: string]>> = {
  tools: ['call of a tool failed', 'calls of tools failed'],
  workers: ['input of a worker failed', 'inputs of workers failed'],
  events: ['time an event or the service itself failed', 'times an event or the service itself failed'],
};

/** Failures of the same kind are one sentence, with what the newest of them said. */
function ofFailures({ id, timeline, plugin }: Explained): Explanation[] {
  const groups = new Map<string, TimelineEntry[]>();
  for (const entry of timeline.newest(1000)) {
    if (entry.level !== 'error' || !Object.hasOwn(errorKinds, entry.event)) continue;
    const { service, mcp } = plugin.manifest;
    const key = `${aboutOf(entry, service !== undefined || mcp !== undefined)} ${entry.event}`;
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups].map(([key, entries]): Explanation => {
    const about = key.split(' ')[0] as keyof typeof failureSubjects;
    const last = entries.at(-1) as TimelineEntry;
    const [one, many] = failureSubjects[about];
    const which = entries.length === 1 ? '' : ', the last time';
    return {
      about,
      level: 'error',
      at: last.at,
      what: `${plural(entries.length, one, many)} with ${last.event}${which}:`,
      why: sentence(last.message),
      remedy: remedyOf(last.event, id),
    };
  });
}

function aboutOf({ event, incarnation, data }: TimelineEntry, hasService: boolean): keyof typeof failureSubjects {
  if (event.startsWith('tool_')) return 'tools';
  return data?.['workerId'] !== undefined || !hasService || incarnation === 0 ? 'workers' : 'events';
}

/** They are sentences already, and told by the newest of each kind. */
const notices = new Set([
  'left_out',
  'escalated',
  'lost',
  'reload_failed',
  'commands_lost',
  'queue_unsafe',
  'code_not_kept',
  'unkillable',
]);

function ofNotices({ timeline }: Explained): Explanation[] {
  const newest = new Map<string, TimelineEntry>();
  for (const entry of timeline.newest(1000)) if (notices.has(entry.event)) newest.set(entry.event, entry);
  return [...newest.values()].map(({ level, at, message }) => ({
    about: 'plugin',
    level,
    at,
    what: sentence(message),
    why: null,
    remedy: null,
  }));
}

function ofTools({ toolBooks, tools, toolList }: Explained): Explanation[] {
  if (toolList.length === 0) return [];
  const { ok = 0, ...failed } = toolBooks.outcomes();
  const failures = Object.entries(failed);
  const calls = ok + failures.reduce((sum, [, count]) => sum + count, 0);
  const waiting = tools.pending === 0 ? '' : ` ${plural(tools.pending, 'call is', 'calls are')} not answered yet.`;
  if (calls === 0) return [fact('tools', 'info', `No tool of it has been called.${waiting}`)];
  const { p50, p99 } = toolBooks.runs.percentiles();
  const how =
    failures.length === 0
      ? 'all were answered'
      : `${String(ok)} were answered, ${failures.map(([code, count]) => `${String(count)} failed with ${code}`).join(', ')}`;
  const took = ok === 0 ? '' : ` A call runs for ${durationText(p50)} (median), ${durationText(p99)} (p99).`;
  return [fact('tools', 'info', `Its tools were called ${plural(calls, 'time')}: ${how}.${took}${waiting}`)];
}

function ofWorkers({ plugin, inputs }: Explained): Explanation[] {
  const { profiles } = plugin.manifest;
  if (profiles.length === 0) return [];
  const { done, failed, cancelled } = inputs;
  const all = done + failed + cancelled;
  if (all === 0) return [fact('workers', 'info', 'No worker that runs its profiles has had an input.')];
  return [
    fact(
      'workers',
      'info',
      `Workers that run its profiles had ${plural(all, 'input')}: ${String(done)} done, ${String(failed)} failed, ${String(cancelled)} cancelled.`,
    ),
  ];
}

function ofSource({ plugin, name, type, state, deafSince, lastError }: SourceStatus): Explanation[] {
  if (state === 'paused')
    return [
      fact('sources', 'info', `The source ${name} is paused.`, `Run \`nagaya sources resume ${plugin} ${name}\`.`),
    ];
  if (deafSince === null) return [];
  return [
    {
      about: 'sources',
      level: state === 'faulty' ? 'error' : 'warn',
      at: deafSince,
      what: `No event can come from the ${type} source ${name}, which is ${state}.`,
      why: lastError === null ? null : sentence(lastError.message),
      remedy:
        state === 'faulty'
          ? 'Somebody has to change what it says; it does not come back by itself.'
          : 'It is tried again by itself.',
    },
  ];
}

function ofOutput({ plugin, name, state, pending, deadLetters, lastError }: OutputStatus): Explanation[] {
  const why = lastError === null ? null : sentence(lastError.message);
  const at = lastError?.at ?? null;
  const told: Explanation[] = [];
  if (state !== 'open')
    told.push({
      about: 'outputs',
      level: state === 'faulty' ? 'error' : 'warn',
      at,
      what: `The output ${name} is ${state}: ${plural(pending, 'command waits', 'commands wait')}.`,
      why,
      remedy: `See \`nagaya outputs show ${plugin} ${name}\`.`,
    });
  if (deadLetters > 0)
    told.push({
      about: 'outputs',
      level: 'warn',
      at,
      what: `${plural(deadLetters, 'command')} of the output ${name} could not be delivered.`,
      why,
      remedy: `Once the cause is fixed, run \`nagaya outputs retry ${plugin} ${name}\`.`,
    });
  return told;
}
