// What a flight-recorder bundle holds, as text within a bound: the newest of timeline and log as far as they fit, and
// of the rest the less important left out before the more. No value of an environment, and no payload unless asked for.
import type { LogLine, TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import type { Manifest } from '../../protocol/manifest.ts';

export interface BundleParts {
  readonly pluginId: string;
  readonly at: string;
  readonly manifest: Manifest;
  readonly status: ServiceStatus;
  /** Oldest first. */
  readonly timeline: readonly TimelineEntry[];
  readonly log: readonly LogLine[];
  /** Events that wait, with their payloads: only where the configuration asks for them. */
  readonly waiting?: readonly unknown[];
}

type Facts = Readonly<Record<string, unknown>>;

const maxText = 2000;
/** Of the whole; log and timeline share what is left. */
const headShare = 0.5;

/** `redact` takes JSON text and answers JSON text. */
export function bundleText(
  parts: BundleParts,
  daemon: Facts,
  maxBytes: number,
  redact: (json: string) => string,
): string {
  const head = headText(parts, daemon, maxBytes * headShare, redact);
  // What the frame around the rows takes, and the commas.
  const room = maxBytes - Buffer.byteLength(head) - 200;
  const timeline = newestThatFit(parts.timeline, room / 2, redact);
  const log = newestThatFit(parts.log, room - bytesOf(timeline), redact);
  const omitted = { timeline: parts.timeline.length - timeline.length, log: parts.log.length - log.length };
  return `${head.slice(0, -1)},"omitted":${JSON.stringify(omitted)},"timeline":[\n${timeline.join(',\n')}\n],"log":[\n${log.join(',\n')}\n]}\n`;
}

/** From the whole of it to hardly more than its name. */
function headText(parts: BundleParts, daemon: Facts, maxBytes: number, redact: (json: string) => string): string {
  const { pluginId, at, status, waiting } = parts;
  const { reported: _reported, diagnostics: _diagnostics, ...plain } = status;
  const name = { format: 'nagaya.bundle', version: 1, at, plugin: pluginId, lastError: shortened(status.lastError) };
  const told = { ...name, manifest: manifestSummary(parts.manifest), daemon };
  const forms = [
    ...(waiting === undefined ? [] : [{ ...told, status, waiting }]),
    { ...told, status },
    { ...told, status: { ...status, reported: undefined } },
    { ...told, status: { ...plain, lastError: undefined } },
    { ...name, daemon },
  ];
  for (const form of forms) {
    const text = redact(JSON.stringify(form));
    if (Buffer.byteLength(text) <= maxBytes) return text;
  }
  return redact(JSON.stringify(name));
}

function shortened(error: ServiceStatus['lastError']): ServiceStatus['lastError'] {
  if (error === null) return null;
  const { stack, ...rest } = error;
  return {
    ...rest,
    message: rest.message.slice(0, maxText),
    ...(stack === undefined ? {} : { stack: stack.slice(0, maxText) }),
  };
}

/** Names and bounds; schemas are in the plugin's own folder. */
function manifestSummary({ id, name, version, entry, isolation, env, limits, service, tools }: Manifest): Facts {
  return {
    id,
    name,
    version,
    entry,
    isolation,
    env,
    limits,
    tools: tools.map((tool) => tool.name),
    ...(service === undefined
      ? {}
      : {
          service: {
            ingresses: service.ingresses.map((ingress) => ingress.name),
            queue: service.queue,
            timeouts: service.timeouts,
            restart: service.restart,
            retry: service.retry,
          },
        }),
  };
}

function newestThatFit(rows: readonly unknown[], maxBytes: number, redact: (json: string) => string): string[] {
  const kept: string[] = [];
  let room = maxBytes;
  for (const row of rows.toReversed()) {
    const text = redact(JSON.stringify(row));
    room -= Buffer.byteLength(text) + 2;
    if (room < 0) break;
    kept.unshift(text);
  }
  return kept;
}

const bytesOf = (rows: readonly string[]): number => rows.reduce((sum, row) => sum + Buffer.byteLength(row) + 2, 0);
