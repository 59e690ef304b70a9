// The rooms of `daemon/` and the arrows between them: which room may import which, and why. An arrow that is not in
// this table fails the check. Arrows point down the list, from the composition root to what knows nothing of the
// others.

interface Room {
  /** What the room holds, in one line. */
  readonly holds: string;
  /** The rooms it may import, each with the reason. A reason that begins with `types:` allows only `import type`. */
  readonly imports: Readonly<Record<string, string>>;
}

const time = 'reads the clock and sets timers that tests can control';
const awake = 'measures deadlines without the time in which the daemon stood still';
const limits = 'takes its bounds from the configuration';
const account = 'counts what would be lost if the daemon died';
const kept = 'keeps there what must outlive the daemon';
const ownIsolates = 'watches, measures and ends the threads and processes it starts';

export const rooms: Readonly<Record<string, Room>> = {
  cli: {
    holds: 'the `nagaya` command',
    imports: {
      config: 'finds and checks the configuration without a daemon',
      files: "`nagaya new` makes the plugin's folder",
      faults: '`nagaya faults` runs the faults kit',
      guardian: '`nagaya serve` becomes the guardian, or finds the one it runs under',
      host: '`nagaya serve` starts the daemon',
      isolates:
        "`nagaya check` compiles a plugin's schemas and links its imports in processes, and `doctor` looks at processes",
      plugins: '`nagaya check` and `new` read manifests',
      telemetry: '`nagaya bundles` reads what the flight recorder wrote',
    },
  },
  faults: { holds: 'the faults kit that ships with the command', imports: {} },
  guardian: {
    holds: "the parent process that holds the sockets and brings the daemon back, and the daemon's link to it",
    imports: {
      control: 'claims the place of the control socket, and says why a port cannot be had',
      files: 'reads the account of what a dead daemon had in memory',
      services: "restarts the daemon by the policy of a service's supervisor",
      isolates: 'names the daemon in the lock by its process identity',
    },
  },
  host: {
    holds: 'the composition root: daemon, host, hosted plugin, shutdown, status',
    imports: {
      guardian: "listens on the guardian's sockets, and tells it what it has to know",
      operations: 'gives the handlers to the control server',
      control: 'starts and ends the control and browser servers',
      services: "builds each plugin's service",
      tools: "builds each plugin's tools",
      outputs: "builds each plugin's outputs, and lets them reach services and tools",
      runtimes: 'builds the registry and its runtimes',
      dispatch: 'builds what all services share',
      cells: 'builds what spawns cells, and ends the cells of a daemon that died',
      edge: 'declares the sources of plugins, and ends them',
      store: 'opens and closes the store, and gives it to what keeps something there',
      mcp: 'starts and ends what MCP clients are served by',
      cluster: 'makes the daemon a member where the configuration says so',
      isolates: 'has the schemas of a plugin that is loaded compiled in a process, and watches what all threads share',
      telemetry: 'builds logs, feed, timelines and the flight recorder',
      plugins: 'discovers and reads plugins',
      config: 'is built from the configuration',
      files: 'arms failpoints',
      time: 'chooses the clock',
    },
  },
  operations: {
    holds: 'the handlers behind the operation table',
    imports: {
      host: 'types: handlers are given the host they act on',
      dispatch: 'hands over the waiters of a delivery, and passes events on to other members as they were read',
      services: 'types: passes on what a publish was answered',
      tools: 'types: hands over the waiters of a call',
      outputs: 'types: shows their commands',
      runtimes: 'types: handlers are given the registry they act on',
      telemetry: 'reads logs and timelines',
      store: 'types: reports on the store',
      mcp: 'types: gives MCP clients the tools',
      cluster: 'types: reports on the members',
      time: 'types: a delivery waits while the partition of its event moves',
    },
  },
  control: {
    holds: 'how callers reach the operations: socket, rpc, http, browser',
    imports: {
      operations: 'calls the handlers',
      dispatch: 'reads an event off the wire in the form that the queue keeps',
      isolates: 'the lock names its holder by process identity',
      telemetry: 'types: subscribes connections to the feed',
      mcp: 'types: passes the bytes of MCP clients on',
      config: limits,
      files: 'reads and writes tokens, and meets failpoints',
      time,
    },
  },
  outputs: {
    holds:
      'the commands that services send: queued by output and key, tried again, kept where they cannot be delivered',
    imports: { tools: 'types: waits for the answers of tools', store: kept, config: limits, time },
  },
  services: {
    holds: 'lifecycle, supervision, reload, admission, outcomes, dead letters',
    imports: {
      dispatch: 'runs its incarnations and its queue on the shared kernel',
      cells: 'types: is told how a cell ended',
      isolates: 'says where a plugin was when its time was over, and what its cells use',
      plugins: 'types: names the plugin it belongs to',
      store: kept,
      files: 'writes dead letters',
      time,
    },
  },
  tools: {
    holds: 'plugin tools and their scheduling',
    imports: {
      cells: 'checks the messages that every cell may send, and records its processes like cells',
      isolates: ownIsolates,
      plugins: 'types: names the plugin it belongs to',
      config: limits,
      files: account,
      time,
    },
  },
  runtimes: {
    holds: 'the registry, its runtimes and the programs that workers run',
    imports: {
      services: 'types: the local runtime shows services as workers',
      dispatch: 'runs programs on the shared kernel',
      cells: 'spawns the cells of programs',
      isolates: 'says where a program was when its time was over, and keeps the thread of remote daemons alive',
      telemetry: "keeps transcripts and events in its rings, and tells the daemon's log",
      plugins: 'finds the profiles of plugins',
      store: kept,
      config: limits,
      files: account,
      time,
    },
  },
  dispatch: {
    holds: 'the kernel that services and workers share: incarnation, lane, queue, pacing',
    imports: {
      cells: 'types: drives a cell through its interface',
      isolates: 'takes the flags of a permission set, and says where a plugin is',
      plugins: 'types: names the plugin it runs',
      store: 'types: keeps the state of a plugin there',
      files: 'meets failpoints',
      time,
    },
  },
  cells: {
    holds: 'one Cell interface, and threads and processes behind it',
    imports: {
      isolates: ownIsolates,
      telemetry: "types: tells the daemon's log what an earlier daemon left",
      files: "reads the records of an earlier daemon's cells",
      time: awake,
    },
  },
  edge: {
    holds: 'sources: where the events of services come from, seen from the host',
    imports: {
      dispatch: 'hands over events in the form that the queue keeps',
      isolates: "starts and ends the edge's thread",
      plugins: 'types: reads what a plugin declares',
      store: kept,
      config: 'types: takes its bounds from the configuration',
      telemetry: "types: tells the daemon's log",
      time,
    },
  },
  store: {
    holds: "the host's side of the storekeeper, and the lock of the state folder",
    imports: {
      isolates: "starts the storekeeper's thread, and names the daemon in the lock by its process identity",
      config: 'types: takes its bounds from the configuration',
      files: 'meets failpoints',
      time,
    },
  },
  mcp: {
    holds: "plugins' tools for MCP clients: the host's side of the MCP thread, and which tools are offered",
    imports: {
      isolates: "finds the MCP thread's file, and watches and ends the processes of hosted servers",
      config: 'types: takes what is exposed, and its bounds, from the configuration',
      files: 'keeps what was approved',
      cells: 'runs hosted servers as process cells',
      tools: 'answers calls of hosted servers as calls of tools are answered',
      time,
    },
  },
  cluster: {
    holds: "the daemon as one of several: the host's side of the thread that speaks to the NATS server",
    imports: {
      dispatch: 'hands over events in the form that the queue keeps',
      services: 'types: is the queue of services whose events wait in the cluster',
      store: 'types: keeps dead letters and commands as the store does',
      isolates: "starts, watches and ends the cluster's thread",
      config: 'types: takes its bounds from the configuration',
      files: 'keeps by what other members know this daemon again',
      telemetry: "types: tells the daemon's log",
      time,
    },
  },
  isolates: { holds: 'what is known about threads and processes', imports: { time: awake } },
  telemetry: {
    holds: 'logs, feed, timelines, the flight recorder',
    imports: { config: 'types: takes its bounds from the configuration', files: 'writes bundles', time },
  },
  plugins: {
    holds: 'discovery, manifests, overrides, the catalogue',
    imports: {
      config: 'types: applies the overrides of the configuration',
      store: kept,
      files: 'reads manifests with a bound',
    },
  },
  config: {
    holds: 'the configuration and where it is found',
    imports: { files: 'reads the configuration with a bound' },
  },
  files: { holds: 'reading and writing files with bounds, and failpoints', imports: {} },
  time: { holds: 'the clock and what is built on it', imports: {} },
};

/** The room of a file of the daemon; undefined for any other file. */
export const roomOf = (file: string): string | undefined =>
  file.startsWith('daemon/') ? (file.split('/').slice(1, -1)[0] ?? '') : undefined;

/** What is wrong with an import from one room into another; undefined where nothing is. */
export function roomFault(file: string, target: string, typeOnly: boolean): string | undefined {
  const from = roomOf(file);
  const to = roomOf(target);
  if (from === undefined || to === undefined || from === to) return undefined;
  const room = rooms[from];
  if (room === undefined) return `is in daemon/${from}, which is no room of scripts/check/rooms.ts`;
  const reason = room.imports[to];
  if (reason === undefined)
    return `imports daemon/${to}; daemon/${from} may import ${Object.keys(room.imports).join(', ') || 'no other room'} (scripts/check/rooms.ts)`;
  if (reason.startsWith('types:') && !typeOnly)
    return `imports daemon/${to} at run time; daemon/${from} may only "import type" from it (scripts/check/rooms.ts)`;
  return undefined;
}
