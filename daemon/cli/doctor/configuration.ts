// The configuration: whether it is valid, whether what it names is there, and whether commands look for the socket
// where it puts it.
import { stat } from 'node:fs/promises';
import { defaultSocketPath } from '../../../protocol/client/socket-path.ts';
import { HostError, type Issue, issueText } from '../../../protocol/errors.ts';
import { loadConfig } from '../../config/load.ts';
import { type Config, config as configSchema } from '../../config/schema.ts';
import { shellWord } from '../install.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

export interface ConfigurationFindings {
  /** The defaults where it is not valid. */
  readonly config: Config;
  readonly findings: readonly Finding[];
}

export async function checkConfiguration(path: string | undefined): Promise<ConfigurationFindings> {
  const check = 'configuration';
  try {
    const loaded = await loadConfig(path === undefined ? {} : { path });
    const head = ok(check, loaded.path === null ? 'none: every value is its default' : `${loaded.path} is valid`);
    return {
      config: loaded.config,
      findings: [head, ...(await folderFindings(loaded.config)), ...socketFindings(loaded.config)],
    };
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'config_invalid') throw error;
    const issues = (error.details['issues'] as Issue[] | undefined) ?? [];
    const remedy = 'Correct what is named; `nagaya config schema` prints what may stand there.';
    const findings =
      issues.length === 0
        ? [fault(check, error.message, remedy)]
        : issues.map((issue) => fault(check, issueText(issue), remedy));
    return { config: configSchema.parse({}), findings };
  }
}

async function folderFindings(config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const folder of config.plugins.folders) {
    const found = await stat(folder).catch(() => undefined); // absent or unreadable: both mean that nothing loads
    if (found?.isDirectory() !== true)
      findings.push(
        warning(
          'plugin folder',
          `${folder} is not there`,
          `Make it, \`mkdir -p ${shellWord(folder)}\`, or take it out of plugins.folders.`,
        ),
      );
  }
  return findings;
}

function socketFindings({ socket }: Config): Finding[] {
  if (socket === undefined || socket === defaultSocketPath()) return [];
  return [
    warning(
      'socket',
      `the configuration puts the socket at ${socket}, and commands look at ${defaultSocketPath()}`,
      `\`export NAGAYA_SOCKET=${shellWord(socket)}\`, or give --socket with every command.`,
    ),
  ];
}
