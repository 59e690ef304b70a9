// What a daemon is started with, once the command line and the configuration have been read.
import type { Guarding } from '../guardian/link.ts';
import type { Config } from '../config/schema.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly configPath: string | null;
  readonly socket: string;
  readonly stateFolder: string;
  readonly pluginFolders: readonly string[];
  readonly logLevel: Config['log']['level'];
  /** Log lines for a person instead of NDJSON. */
  readonly pretty: boolean;
  /** The descriptor of the log; standard error when left out. */
  readonly logDestination?: number;
  /** What the operator has to know of the configuration it starts with. */
  readonly notice?: string;
  /** The guardian under which this process runs, and what it has told. */
  readonly guarding?: Guarding;
}
