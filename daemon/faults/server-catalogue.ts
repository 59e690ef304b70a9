// Every way of the kit in which an MCP server misbehaves that a plugin hosts. They stand apart from what plugins do in
// their own code: a hosted server is a process of its own, whatever it is written in.
import type { AnswerKind, Fault } from './fault.ts';

type Row = readonly [id: string, what: string, answers: readonly AnswerKind[], more?: Partial<Fault>];

/** Committed before it is ready. */
const atStart = { atImport: true } as const;
/** Its bound has to end it and not its deadline, also where the machine is slow. */
const watched = { deadlineMs: 15_000 } as const;

const rows: readonly Row[] = [
  ['mcp-exits-at-start', 'exits before it has answered anything', ['failed'], atStart],
  ['mcp-hangs-in-initialize', 'never answers `initialize`', ['timeout'], atStart],
  ['mcp-refuses-initialize', 'answers `initialize` with an error', ['failed'], atStart],
  ['mcp-garbage-at-start', 'prints a thousand lines that are no messages before it is ready', ['failed'], atStart],
  ['mcp-unknown-version', 'speaks a version of the protocol that nobody knows', ['failed'], atStart],
  ['mcp-lists-nonsense', 'answers `tools/list` with no list', ['failed'], atStart],
  ['mcp-endless-pages', 'has a next page of tools for ever', ['failed'], atStart],
  ['mcp-many-tools', 'lists 100,000 tools', ['failed'], atStart],
  ['mcp-bad-schemas', 'lists tools with schemas that are none, that name themselves, and that never end', ['answer']],
  ['mcp-dies-in-call', 'exits in a call', ['crashed']],
  ['mcp-segfault', 'ends by SIGSEGV in a call', ['crashed']],
  ['mcp-never-answers', 'never answers a call', ['timeout']],
  ['mcp-blocks', 'loops in a call, and answers nothing else meanwhile', ['timeout']],
  ['mcp-garbage', 'answers a call with a thousand lines that are no messages', ['crashed'], watched],
  ['mcp-flood', 'sends messages that nobody asked for, as fast as it can', ['crashed'], watched],
  ['mcp-long-line', 'writes a line of 64 MB and more', ['crashed'], watched],
  ['mcp-deep-answer', 'answers with arrays inside each other, 100,000 deep', ['timeout', 'failed']],
  ['mcp-batch-bomb', 'sends a batch of 100,000 messages', ['answer', 'crashed'], watched],
  ['mcp-huge-answer', 'answers with 3 MB', ['failed'], watched],
  ['mcp-wrong-id', 'answers under ids that nobody has used', ['timeout']],
  ['mcp-answers-twice', 'answers twice, differently', ['answer']],
  ['mcp-answers-nothing', 'answers with neither a result nor an error', ['timeout']],
  ['mcp-closes-stdout', 'closes its standard output and lives on', ['crashed'], watched],
  ['mcp-closes-stdin', 'closes its standard input and lives on', ['timeout', 'crashed']],
  ['mcp-endless-progress', 'tells progress for ever', ['timeout']],
  ['mcp-odd-progress', 'tells progress that is no number, goes back, and belongs to no call', ['answer']],
  ['mcp-list-storm', 'says 500 times a second that its list has changed', ['answer']],
  ['mcp-stderr-flood', 'floods its standard error', ['answer']],
  ['mcp-asks-for-model', 'asks for a model, a person and folders, a hundred times each', ['answer']],
  ['mcp-grows', 'takes memory without end', ['crashed'], watched],
  ['mcp-descriptors', 'opens files without end', ['crashed'], watched],
  ['mcp-forks', 'starts processes that leave its group and ignore signals, and exits', ['crashed'], watched],
  ['mcp-ignores-signals', 'ignores SIGTERM and the end of its input', ['answer']],
];

export const serverFaults: readonly Fault[] = rows.map(([id, what, answers, more]) => ({
  id,
  group: 'server',
  what,
  answers,
  listed: false,
  threads: { hold: 'contains' },
  ...more,
}));

export const serverFaultIds: readonly string[] = serverFaults.map(({ id }) => id);
