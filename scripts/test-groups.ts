// Which test files share a process. Most of them can: they drive daemons, cells and pure code, and leave nothing behind
// in their own process. Those that cannot are listed, with the reason.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestGroup {
  readonly name: string;
  readonly files: readonly string[];
}

/** After such an await, Node may take the tests that follow for those of the file before. */
const waits = 'awaits something at its top level';

/**
 * Rooms (with a slash at the end) and files that need a process of their own for each file. A test holds that what a
 * file does to its process is listed here.
 */
export const alone: Readonly<Record<string, string>> = {
  'test/cells/': 'cells are threads and children of this process, whose memory and descriptors are watched',
  'test/cli/start-up.test.ts': waits,
  'test/control/browser-streams.test.ts': 'counts the bytes that this process keeps',
  'test/control/half-lines.test.ts': 'measures how long the event loop is held up',
  'test/control/http-bodies.test.ts': 'counts the bytes that this process keeps',
  'test/control/http-events.test.ts': 'replaces the timers of this process',
  'test/control/rpc-bounds.test.ts': 'counts the bytes that this process keeps',
  'test/control/socket-place.test.ts': 'changes the umask of this process',
  'test/edge/http-differential.test.ts': waits,
  'test/edge/mqtt-reconnects.test.ts': 'counts the sockets and timers of this process',
  'test/edge/websocket-hostile.test.ts': 'counts the sockets and timers of this process',
  'test/isolates/': 'inspects, ranks and measures the threads of this process',
  'test/protocol/error-causes.test.ts': waits,
  'test/protocol/framing.test.ts': 'counts the bytes that this process keeps',
  'test/scripts/test-run.test.ts': 'sends a signal to this process',
  'test/scripts/tutorial-events.test.ts': waits,
  'test/scripts/tutorial.test.ts': waits,
  'test/telemetry/log-daemon.test.ts': 'sets variables of the environment',
  'test/telemetry/log-readable.test.ts': 'sets the time zone of this process',
  'test/tools/': 'pools keep threads and children in this process, and count them',
  'test/workers/': 'guards look at the descriptors, signals and files of this process',
};

/** A file that is not listed takes less than two seconds, or is new. */
const unlistedSeconds = 1;
/** Long enough to be worth a process, short enough that the last ones end at about the same time. */
const groupSeconds = { least: 4, most: 24 };
/** Groups for each place in which one can run, so that no place waits long for the last one. */
const groupsForEach = 4;

const timesFile = (root: string): string => join(root, 'scripts', 'test-times.json');

/** What files took when that was measured last; only their order and size depend on it. */
export function readTimes(root: string): ReadonlyMap<string, number> {
  return new Map(Object.entries(JSON.parse(readFileSync(timesFile(root), 'utf8')) as Record<string, number>));
}

export function writeTimes(root: string, seconds: ReadonlyMap<string, number>): void {
  const listed = [...seconds]
    .map(([path, took]) => [path, Math.round(took)] as const)
    .filter(([path, took]) => took > unlistedSeconds && existsSync(join(root, path)))
    .sort(([one], [other]) => one.localeCompare(other));
  writeFileSync(timesFile(root), `${JSON.stringify(Object.fromEntries(listed), undefined, 2)}\n`);
}

const roomOf = (path: string): string => path.split('/').slice(1, -1).join('-');

/** The longest first, so that the end of a run is not one long file on one core. */
export function groupsOf(paths: readonly string[], times: ReadonlyMap<string, number>, places: number): TestGroup[] {
  const files = paths.map((path) => ({ path, seconds: times.get(path) ?? unlistedSeconds }));
  const total = files.reduce((sum, { seconds }) => sum + seconds, 0);
  const wanted = total / (places * groupsForEach);
  const limit = Math.max(groupSeconds.least, Math.min(groupSeconds.most, wanted));
  const open = new Map<string, Group>();
  const groups: Group[] = [];
  for (const { path, seconds } of files) {
    const room = roomOf(path);
    const current = open.get(room);
    if (current !== undefined && !isAlone(path) && current.seconds + seconds <= limit) {
      current.files.push(path);
      current.seconds += seconds;
      continue;
    }
    const group: Group = { files: [path], seconds };
    groups.push(group);
    if (!isAlone(path) && seconds < limit) open.set(room, group);
  }
  return groups
    .sort((one, other) => other.seconds - one.seconds)
    .map(({ files: members }, at) => ({ name: nameOf(members, at), files: members }));
}

interface Group {
  readonly files: string[];
  seconds: number;
}

const isAlone = (path: string): boolean =>
  Object.keys(alone).some((listed) => (listed.endsWith('/') ? path.startsWith(listed) : path === listed));

/** Node runs files in the order of their names. */
function nameOf(paths: readonly string[], at: number): string {
  const [first = ''] = paths;
  const what =
    paths.length === 1 ? `${roomOf(first)}-${first.split('/').at(-1)?.replace('.test.ts', '') ?? ''}` : roomOf(first);
  return `${String(at).padStart(3, '0')}-${what}`;
}
