// Every fault the kit knows: what it does, how its caller is to be answered, and whether threads can hold it. The
// tables of the documentation and the trials are made from this list.
import type { AnswerKind, Fault, Group, ThreadHold } from './fault.ts';

const contains: ThreadHold = { hold: 'contains' };
const givesUp = (why: string): ThreadHold => ({ hold: 'givesUp', why });

type Row = readonly [id: string, what: string, answers: readonly AnswerKind[], more?: Partial<Fault>];

const rows = (group: Group, list: readonly Row[]): Fault[] =>
  list.map(([id, what, answers, more]) => ({ id, group, what, answers, listed: true, threads: contains, ...more }));

const added = { listed: false } as const;
const later = { crashesLater: true } as const;
const atImport = { atImport: true } as const;
/** Time to do the damage before the deadline would end it. */
const slow = { deadlineMs: 5000 } as const;
/** Its bound has to end it and not its deadline, also where the machine is slow. */
const watched = { ...added, deadlineMs: 15_000 } as const;

const ended: readonly AnswerKind[] = ['crashed', 'timeout', 'failed'];
const dies = {
  listed: false,
  deadlineMs: 5000,
  threads: {
    hold: 'dies',
    why: 'no thread can be ended inside such a call: it returns at last, or V8 aborts the daemon, which the guardian brings back',
  },
} as const;

export const catalogue: readonly Fault[] = [
  ...rows('hangs', [
    ['sync-loop', 'loops for ever', ['timeout']],
    ['never-resolves', 'returns a promise that never resolves', ['timeout']],
    ['endless-microtasks', 'awaits without end, so that no timer and no message gets through', ['timeout']],
    ['atomics-wait', 'waits on shared memory nobody writes to', ['timeout']],
    ['catastrophic-regex', 'matches a text against a pattern that takes for ever', ['timeout']],
    ['endless-webassembly', 'loops inside WebAssembly', ['timeout']],
    ['exec-sync', "runs `execSync('sleep 30')`", ['timeout', 'failed']],
    [
      'pbkdf2-sync',
      'derives a key in 1e9 rounds, all in one native call',
      ['timeout'],
      { threads: givesUp('a native call cannot be interrupted: the thread computes on until it returns') },
    ],
    ['read-fifo', 'reads a named pipe that nobody writes to', ['timeout', 'failed'], { pipes: 1 }],
    [
      'blocked-pool',
      "has four reads blocked, which is all that Node's pool of threads does at a time",
      ['timeout', 'failed'],
      { ...added, pipes: 4 },
    ],
    ['large-sort', 'sorts ten million numbers in native code', ['timeout', 'answer', 'crashed'], added],
  ]),
  ...rows('throws', [
    ['throw-error', 'throws an error', ['failed']],
    ['throw-null', 'throws null', ['failed']],
    ['throw-undefined', 'throws undefined', ['failed']],
    ['throw-string', 'throws a text', ['failed']],
    ['throw-getter', 'throws an object whose message and stack throw when they are read', ['failed']],
    ['circular-cause', 'rejects with an error that is its own cause', ['failed']],
    ['async-generator', 'reads from an async generator that fails', ['failed']],
    ['stack-overflow', 'calls itself until the stack is full', ['failed']],
  ]),
  ...rows('late', [
    ['late-rejection', 'answers, then a promise nobody holds rejects', ['answer'], later],
    ['late-throw', 'answers, then a timer throws', ['answer'], later],
    ['stream-error', 'answers, then a stream emits an error nobody listens to', ['answer'], later],
    [
      'captured-exceptions',
      'captures uncaught exceptions for itself, then throws in a timer',
      ['answer', 'failed'],
      later,
    ],
    ['removed-listeners', 'removes every listener of `process`, then throws in a timer', ['answer', 'failed'], later],
    ['interval-left', 'answers and leaves an interval running', ['answer']],
  ]),
  ...rows('results', [
    ['function-result', 'answers with a function', ['failed']],
    ['symbol-result', 'answers with a symbol', ['failed']],
    ['large-result', 'answers with 100 MB', ['failed', 'timeout', 'crashed'], slow],
  ]),
  ...rows('memory', [
    ['heap-arrays', 'fills the heap with many arrays', ['crashed', 'timeout'], slow],
    ['heap-one-array', 'fills the heap with one array of 1 GiB', ['crashed', 'timeout', 'failed'], slow],
    ['heap-map', 'fills the heap with a Map', ['crashed', 'timeout', 'failed'], slow],
    ['buffers', 'takes memory outside the heap with Buffers', ['crashed', 'timeout'], slow],
    ['shared-memory', 'takes 896 MiB of shared memory, which V8 counts for no thread', ['crashed'], watched],
    ['shared-webassembly', 'lets a shared WebAssembly memory grow to 896 MiB', ['crashed'], watched],
    ['blobs', 'keeps 896 MiB in Blobs', ['crashed'], watched],
    ['unread-messages', 'posts 896 MiB to a port that nobody reads', ['crashed'], watched],
    ['zlib-streams', 'keeps 2240 zlib streams, of some 900 MiB together', ['crashed'], watched],
    ['secret-keys', 'keeps 896 MiB in keys', ['crashed'], watched],
  ]),
  ...rows('shared', [
    [
      'filled-pool',
      "derives eight keys at once, twice as many as Node's pool has threads here",
      ['timeout'],
      {
        ...added,
        threads: givesUp("a job in Node's pool cannot be taken back: the thread ends when its jobs are done"),
      },
    ],
    ['leaked-sockets', 'opens 3000 connections and closes none', ['crashed'], watched],
    ['leaked-folders', 'opens 6000 folders and closes none', ['crashed', 'failed'], watched],
  ]),
  ...rows('floods', [
    ['stdout-flood', 'writes 200,000 lines to stdout', ['answer', 'timeout']],
    [
      'message-flood',
      'posts 200,000 messages through every port and channel it finds',
      ['answer', 'timeout', 'crashed'],
    ],
    ['log-flood', 'logs 200,000 lines', ['answer', 'timeout'], added],
  ]),
  ...rows('process', [
    ['process-exit', 'calls `process.exit()`', ['crashed']],
    ['process-abort', 'calls `process.abort()`', ['crashed', 'failed']],
    ['exit-listener-loop', 'exits with an exit listener that loops', ['crashed', 'timeout']],
    ['kill-term', 'sends its own process SIGTERM', ['failed', 'crashed']],
    ['kill-kill', 'sends its own process SIGKILL', ['failed', 'crashed']],
    ['parent-port-close', 'closes `parentPort`', ['answer', 'failed', 'crashed']],
    ['nested-worker', 'starts a Worker that spins', ['answer', 'failed']],
    ['native-segfault', 'loads a native addon that crashes with SIGSEGV', ['failed', 'crashed']],
    ['native-trap', 'switches V8 flags and crashes it with SIGTRAP', ['failed', 'crashed'], added],
    ['many-descriptors', 'opens 10,000 files and closes none', ['answer', 'failed', 'timeout']],
    [
      'close-descriptors',
      'closes descriptors 3 to 39, whoever they belong to',
      ['answer', 'failed', 'crashed', 'timeout'],
      added,
    ],
  ]),
  ...rows('guard', [
    [
      'kill-converted',
      'signals the daemon by its number as a text, a list or an object, and by a thread of it',
      ['failed'],
      added,
    ],
    [
      'foreign-descriptors',
      'takes descriptors 3 to 42 as sockets, terminals and for children, and changes what is behind them',
      ['failed', 'answer', 'crashed', 'timeout'],
      added,
    ],
    // From Node 25 on, a file handle that is collected while open is an error of the plugin's by itself.
    [
      'collected-handles',
      'closes the numbers of file handles that were collected as garbage',
      ['answer', 'crashed'],
      { ...added, ...slow },
    ],
    ['damaged-cache', 'runs a script from a damaged cache', ['failed', 'crashed', 'answer'], added],
    ['own-loader', 'registers a loader, which runs in a thread of its own', ['failed', 'answer'], added],
    ['own-inspector', 'opens an inspector session and stops at a `debugger` statement', ['failed', 'timeout'], added],
    ['read-device', 'reads `/dev/zero` as a text', ['failed', 'crashed', 'timeout'], { ...added, ...slow }],
    ['read-huge', 'reads a file of 3 GiB as a text', ['failed', 'crashed', 'timeout'], { ...added, ...slow }],
    ['copy-to-fifo', 'copies a file to a named pipe that nobody reads', ['failed', 'timeout'], { ...added, pipes: 1 }],
    ['load-env-fifo', 'loads its environment from a named pipe', ['failed', 'timeout'], { ...added, pipes: 1 }],
    ['import-fifo', 'imports a named pipe', ['failed', 'timeout'], { ...added, pipes: 1 }],
    ['read-environ', 'reads the environment of the daemon and its parent from `/proc`', ['failed', 'answer'], added],
    [
      'control-socket',
      'connects to the control socket, which its permissions do not grant',
      ['failed'],
      { ...added, permissions: {} },
    ],
  ]),
  ...rows('imports', [
    ['import-throws', 'throws while it is imported', ['failed'], atImport],
    [
      'import-syntax',
      'has a syntax error',
      ['failed'],
      { ...atImport, needsRepair: true, source: 'export const deeds = { here: ;\n' },
    ],
    [
      'import-missing',
      'imports a module that is not there',
      ['failed'],
      { ...atImport, needsRepair: true, source: null },
    ],
    ['import-never-ends', 'awaits for ever at its top level', ['timeout', 'failed'], atImport],
    ['import-loops', 'loops at its top level', ['timeout'], atImport],
  ]),
  ...rows('patches', [
    ['env-mutation', 'changes and deletes names of `process.env`', ['answer']],
    ['prototype-pollution', 'pollutes `Object.prototype` and breaks `Array.prototype`', ['answer']],
    ['patched-stdout', 'breaks `process.stdout.write`', ['answer']],
    ['patched-console', 'breaks every function of `console`', ['answer']],
    ['patched-json', 'breaks `JSON`', ['answer']],
    ['patched-message-port', 'breaks `MessagePort.prototype`', ['answer']],
    ['event-mutation', 'overwrites every field of the event it was given, and freezes it', ['answer']],
  ]),
  ...rows('deaths', [
    ['regex-at-stack-end', 'compiles a regular expression at the end of the stack', ended, dies],
    ['split-huge', 'splits a text of 2 ** 28 characters', ended, dies],
    ['sort-holes', 'sorts an object whose `length` is 2 ** 27', ended, dies],
    ['match-all', 'matches each of 2 ** 27 characters', ended, dies],
    ['array-from', 'makes an array from an object whose `length` is 2 ** 28', ended, dies],
    ['slice-typed', 'slices a typed array of 2 ** 28 bytes into an array', ended, dies],
    [
      'killed-outside',
      'waits while its daemon is killed with SIGKILL from outside',
      ['crashed'],
      { ...dies, outside: 'SIGKILL' },
    ],
    [
      'segfault-outside',
      'waits while its daemon is sent SIGSEGV from outside',
      ['crashed'],
      { ...dies, outside: 'SIGSEGV' },
    ],
  ]),
  ...rows('daemon', [
    ['daemon-sigterm', 'the daemon is sent SIGTERM while a plugin loops', ['timeout', 'crashed', 'stopped']],
    ['daemon-sigkill', 'the daemon is killed with -9 while its cells live', ['crashed']],
  ]),
];

/** No fault at all: what it takes shows what this machine takes. */
export const control: Fault = {
  id: 'control',
  group: 'results',
  what: 'answers as it should',
  listed: false,
  answers: ['answer'],
  threads: contains,
};

export const faultIds: readonly string[] = catalogue.map(({ id }) => id);

/** The module of the kit with a fault's code: by its group, or its own where importing it is the fault. */
export const moduleOf = ({ id, group, atImport: own }: Pick<Fault, 'id' | 'group' | 'atImport'>): string =>
  group === 'server' ? 'server-deeds.js' : `${own === true ? id : group}.js`;
