// The words of the kit: what a fault is, where it can be held, and what is expected of whoever holds it.

export const serviceIsolations = ['thread', 'process'] as const;
export const toolIsolations = ['pooled', 'fresh', 'process'] as const;
export type ServiceIsolation = (typeof serviceIsolations)[number];
export type ToolIsolation = (typeof toolIsolations)[number];

/** What a fault is committed in: a service's handler, a tool's call, or an MCP server that is hosted. */
export type Place =
  | { readonly subject: 'service'; readonly isolation: ServiceIsolation }
  | { readonly subject: 'tool'; readonly isolation: ToolIsolation }
  | typeof serverPlace;

/** Hosted servers are processes always. */
export const serverPlace = { subject: 'server', isolation: 'process' } as const;

export const placeName = ({ subject, isolation }: Place): string => `${subject}/${isolation}`;
export const sharesProcess = ({ isolation }: Place): boolean => isolation !== 'process';

/** How the one who asked is answered: with the right result, or with an error of one of these kinds. */
export type AnswerKind = 'answer' | 'failed' | 'timeout' | 'crashed' | 'stopped';

/**
 * What threads can do about a fault. `contains`: all that is promised. `givesUp`: everybody goes on and the caller is
 * answered, but the thread stays until its native call returns. `dies`: it may take the daemon with it, and the
 * guardian holds it.
 */
export type ThreadHold = { readonly hold: 'contains' } | { readonly hold: 'givesUp' | 'dies'; readonly why: string };

export const groups = {
  hangs: 'never comes back',
  throws: 'throws',
  late: 'goes wrong after its answer',
  results: 'answers what cannot be sent',
  memory: 'takes memory',
  shared: 'takes what all plugins share',
  floods: 'says too much',
  process: 'reaches for the process',
  guard: 'goes past the guard',
  imports: 'cannot be imported',
  patches: 'changes what is shared',
  deaths: 'ends its whole process',
  daemon: 'the daemon itself is ended',
  server: 'misbehaves as an MCP server',
} as const;
export type Group = keyof typeof groups;

export interface Fault {
  readonly id: string;
  readonly group: Group;
  /** What the plugin does, to follow its id in a table. */
  readonly what: string;
  /** Of the list the kit was built for, or added since. */
  readonly listed: boolean;
  readonly answers: readonly AnswerKind[];
  /** After an answer that was fine, the cell is to end as a crash of this plugin's own. */
  readonly crashesLater?: true;
  readonly threads: ThreadHold;
  /** Its handler is given this long; most need no more than the kit's usual deadline to show what they do. */
  readonly deadlineMs?: number;
  /** Committed by importing the plugin or starting the server, not by a handler. */
  readonly atImport?: true;
  /**
   * Its cause lies in the plugin's files, so that no restart can help: the service waits until somebody starts it
   * again.
   */
  readonly needsRepair?: true;
  /** Of its plugin; none where it may do everything. */
  readonly permissions?: Readonly<Record<string, unknown>>;
  /** The kit sends the daemon this signal while the handler waits; tried under a guardian only. */
  readonly outside?: 'SIGKILL' | 'SIGSEGV';
  /** Named pipes that it finds in its folder. */
  readonly pipes?: number;
  /** The text of the faulty module; null: there is none. Where it is left out, the kit has a file of its own for it. */
  readonly source?: string | null;
}

/** What is to be reached, in milliseconds. What misses them is told; what misses them by far is not contained. */
export interface Goals {
  /** Beyond the deadline that the plugin declares. */
  readonly answerMs: number;
  readonly neighbourMs: number;
  readonly recoveryMs: number;
}

export const goals: Goals = { answerMs: 50, neighbourMs: 100, recoveryMs: 250 };
/** What a guardian is to reach, from the end of the daemon on. */
export const backGoalMs = 1500;
/** A machine under load is slow, and a daemon that hangs is slower than this. */
export const bounds: Goals = { answerMs: 2000, neighbourMs: 2000, recoveryMs: 10_000 };
