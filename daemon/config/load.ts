// Finds, reads and checks the configuration. Every fault is named by its path, so that a daemon never starts with a
// bound other than the one its operator believes in.
import { homedir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { HostError, type Issue, invalid } from '../../protocol/errors.ts';
import { issuesOf } from '../../protocol/issues.ts';
import { wordingOf } from '../../protocol/wording.ts';
import { readBoundedText } from '../files/bounded-file.ts';
import { type ParsedText, parseJsonText } from '../files/json-text.ts';
import { crossChecks } from './cross-checks.ts';
import { clusterWithPaths } from './cluster.ts';
import { remoteDaemonsWithPaths } from './remote-daemons.ts';
import { type Config, config } from './schema.ts';
import { baseFolder } from './state-folder.ts';
import { parseYamlText } from './yaml-text.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadConfigOptions {
  /** What `--config` names. */
  readonly path?: string;
  readonly cwd?: string;
  readonly env?: Environment;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file it came from; null where there is none and every value is its default. */
  readonly path: string | null;
}

/** A fixed bound, because the file that holds all others cannot hold its own. */
export const maxConfigBytes = 256 * 1024;

const yamlEndings = ['.yaml', '.yml'];

export async function loadConfig(options: LoadConfigOptions = {}): Promise<LoadedConfig> {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const named = options.path ?? env['NAGAYA_CONFIG'];
  if (named !== undefined && named !== '') {
    const path = resolve(cwd, named);
    const file = readBoundedText(path, { maxBytes: maxConfigBytes });
    if (!file.ok) throw refusal(path, [{ path: '', message: `the file ${file.message}` }]);
    return { config: await check(path, file.text, env), path };
  }
  for (const folder of [cwd, join(baseFolder('XDG_CONFIG_HOME', '.config', env), 'nagaya')]) {
    const found = findIn(folder);
    if (found !== undefined) return { config: await check(found.path, found.text, env), path: found.path };
  }
  return { config: config.parse({}), path: null };
}

function findIn(folder: string): { path: string; text: string } | undefined {
  const found: { path: string; text: string }[] = [];
  for (const ending of ['.json', ...yamlEndings]) {
    const path = join(folder, `nagaya${ending}`);
    const file = readBoundedText(path, { maxBytes: maxConfigBytes });
    if (file.ok) found.push({ path, text: file.text });
    else if (!file.missing) throw refusal(path, [{ path: '', message: `the file ${file.message}` }]);
  }
  const [first, second] = found;
  if (first !== undefined && second !== undefined) {
    throw refusal(first.path, [
      { path: '', message: `${second.path} stands beside it; keep one of the two, or name one with --config` },
    ]);
  }
  return first;
}

async function check(path: string, text: string, env: Environment): Promise<Config> {
  const parsed = await parse(path, text);
  if (!parsed.ok) throw refusal(path, [parsed.issue]);
  const checked = config.safeParse(parsed.value, { error: wordingOf });
  if (!checked.success) throw refusal(path, issuesOf(checked.error, config));
  const issues = crossChecks(checked.data);
  if (issues.length > 0) throw refusal(path, issues);
  return withPathsFrom(dirname(path), checked.data, env);
}

async function parse(path: string, text: string): Promise<ParsedText> {
  const ending = extname(path);
  if (ending === '.json') return parseJsonText(text);
  if (yamlEndings.includes(ending)) return parseYamlText(text);
  return {
    ok: false,
    issue: { path: '', message: 'the name of the file must end in .json, .yaml or .yml; rename it' },
  };
}

/** Relative to the file, not to where the daemon happens to be started; `~/` is the user's home. */
function withPathsFrom(folder: string, found: Config, env: Environment): Config {
  const absolute = (path: string): string =>
    path.startsWith('~/') ? join(env['HOME'] || homedir(), path.slice(2)) : resolve(folder, path);
  return {
    ...found,
    ...(found.socket === undefined ? {} : { socket: absolute(found.socket) }),
    ...(found.stateFolder === undefined ? {} : { stateFolder: absolute(found.stateFolder) }),
    ...(found.cluster === undefined ? {} : { cluster: clusterWithPaths(found.cluster, absolute) }),
    runtimes: remoteDaemonsWithPaths(found.runtimes, absolute),
    plugins: {
      ...found.plugins,
      folders: found.plugins.folders.map(absolute),
      ...(found.plugins.envFile === undefined ? {} : { envFile: absolute(found.plugins.envFile) }),
    },
  };
}

function refusal(path: string, issues: readonly Issue[]): HostError {
  return new HostError('config_invalid', invalid('config_invalid', `The configuration ${path}`, issues).message, {
    path,
    issues,
  });
}
