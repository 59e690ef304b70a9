// The tree of commands. Help, completion and the documentation's tables are read from it, so that none of them can
// say anything else than what runs.
import { Command } from 'commander';
import { groups } from './groups.ts';
import { packageVersion } from './install.ts';

export interface CommandModule {
  readonly register: (program: Command) => void;
}

/** Each loads only when it is needed: a command must not wait for what the others import. */
const commandFiles: Readonly<Record<string, () => Promise<CommandModule>>> = {
  serve: () => import('./commands/serve.ts'),
  shutdown: () => import('./commands/shutdown.ts'),
  ping: () => import('./commands/ping.ts'),
  health: () => import('./commands/health.ts'),
  open: () => import('./commands/open.ts'),
  console: () => import('./commands/console.ts'),
  plugins: () => import('./commands/plugins.ts'),
  load: () => import('./commands/load.ts'),
  unload: () => import('./commands/unload.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  restart: () => import('./commands/restart.ts'),
  reload: () => import('./commands/reload.ts'),
  'reload-config': () => import('./commands/reload-config.ts'),
  publish: () => import('./commands/publish.ts'),
  deliver: () => import('./commands/deliver.ts'),
  'dead-letters': () => import('./commands/dead-letters.ts'),
  sources: () => import('./commands/sources.ts'),
  outputs: () => import('./commands/outputs.ts'),
  hook: () => import('./commands/hook.ts'),
  tools: () => import('./commands/tools.ts'),
  call: () => import('./commands/call.ts'),
  mcp: () => import('./commands/mcp.ts'),
  runtimes: () => import('./commands/runtimes.ts'),
  workers: () => import('./commands/workers.ts'),
  worker: () => import('./commands/worker.ts'),
  status: () => import('./commands/status.ts'),
  watch: () => import('./commands/watch.ts'),
  top: () => import('./commands/top.ts'),
  logs: () => import('./commands/logs.ts'),
  state: () => import('./commands/state.ts'),
  timeline: () => import('./commands/timeline.ts'),
  explain: () => import('./commands/explain.ts'),
  store: () => import('./commands/store.ts'),
  bundles: () => import('./commands/bundles.ts'),
  new: () => import('./commands/new.ts'),
  dev: () => import('./commands/dev.ts'),
  check: () => import('./commands/check.ts'),
  schema: () => import('./commands/schema.ts'),
  doctor: () => import('./commands/doctor.ts'),
  faults: () => import('./commands/faults.ts'),
  cluster: () => import('./commands/cluster.ts'),
  service: () => import('./commands/service.ts'),
  config: () => import('./commands/config.ts'),
  completion: () => import('./commands/completion.ts'),
};

const exitCodesText = `
Exit codes:
  0  fine
  1  failed: the command could not do its work
  2  usage: the command line is wrong
  3  no daemon answers, or (serve) one is already running
  4  the daemon refused, with a code of its error registry

Data goes to standard output, everything else to standard error. NO_COLOR and FORCE_COLOR are honoured.
The socket is --socket, else $NAGAYA_SOCKET, else $XDG_RUNTIME_DIR/nagaya/nagaya.sock, else one in the temporary folder.

Examples:
  nagaya serve --plugins ./plugins
  nagaya new service ./hello
  nagaya status
  nagaya completion bash > ~/.local/share/bash-completion/completions/nagaya`;

function emptyProgram(): Command {
  const program = new Command('nagaya');
  return (
    program
      .description(
        'Host plugins in isolation on this machine: services with bounded queues, tools in pools, one control socket.',
      )
      .option('--socket <path>', 'control socket of the daemon')
      .option('--json', 'print data as JSON: one document, or one line a record for streams')
      .version(packageVersion(), '--version', 'print the version')
      .helpOption('-h, --help', 'print help')
      .addHelpCommand(
        new Command('help').argument('[command]').description('print help for a command').helpGroup(groups.setup),
      )
      .showSuggestionAfterError(true)
      .configureHelp({ showGlobalOptions: true })
      // What commander would print about an error is told by nagaya.ts, in the form of every other failure.
      .configureOutput({ outputError: () => undefined })
      .exitOverride()
      .addHelpText('after', exitCodesText)
  );
}

/** The whole tree, or as much of it as this command line needs. */
export async function buildProgram(argv: readonly string[] = []): Promise<Command> {
  const program = emptyProgram();
  const [first = ''] = argv;
  const only = Object.hasOwn(commandFiles, first) ? commandFiles[first] : undefined;
  const modules = await Promise.all((only === undefined ? Object.values(commandFiles) : [only]).map((load) => load()));
  for (const { register } of modules) register(program);
  return program;
}
