// The tokens of the port: those of the configuration, and where it has none, some that are made once and kept in
// the state folder for this user alone.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { HostError } from '../../../protocol/errors.ts';
import { writeAtomically } from '../../files/atomic-file.ts';
import { codeOfFileError, wordingOfWriteError } from '../../files/file-fault.ts';
import { readBoundedText } from '../../files/bounded-file.ts';
import type { HttpConfig } from '../../config/http.ts';
import type { ControlLog } from '../control-log.ts';
import { newSecret } from './secret-table.ts';

export interface Tokens {
  readonly token: string;
  readonly readToken: string;
  /** For metrics alone. */
  readonly metricsToken: string;
  /** For `/mcp` alone. */
  readonly toolsToken: string;
}

/** Without these nobody gets in at all; the others open one path each. */
const mainNames = ['token', 'readToken'] as const;
const names = [...mainNames, 'metricsToken', 'toolsToken'] as const satisfies readonly (keyof Tokens)[];

const maxFileBytes = 4096;
const secret = z.string().min(24);
/** Older daemons kept fewer of them. */
const kept = z.strictObject({
  token: secret,
  readToken: secret,
  metricsToken: secret.optional(),
  toolsToken: secret.optional(),
});

/** Beside the state, in a folder of its own, because the folder is narrowed to this user. */
export const tokenFile = (stateFolder: string): string => join(stateFolder, 'browser', 'tokens.json');

export async function loadTokens(
  configured: Pick<HttpConfig, keyof Tokens>,
  stateFolder: string,
  log: ControlLog,
): Promise<Tokens> {
  if (hasAll(configured)) return tokensBy((name) => configured[name]);
  const path = tokenFile(stateFolder);
  let found = readKept(path);
  if (found !== undefined && (await isOpenToOthers(path))) {
    log.warn({ path }, 'the tokens for browsers could be read by other users; new ones are made');
    found = undefined;
  }
  const own = tokensBy((name) => found?.[name]);
  if (found === undefined || !hasAll(found)) {
    try {
      await keep(path, own, stateFolder);
    } catch (error) {
      if (!mainNames.every((name) => configured[name] !== undefined)) throw error;
      log.warn(
        { path },
        'the tokens for /metrics and /mcp cannot be kept and are others after the next start; set http.metricsToken and http.toolsToken',
      );
    }
  }
  return tokensBy((name) => configured[name] ?? own[name]);
}

const hasAll = (given: Pick<HttpConfig, keyof Tokens>): boolean => names.every((name) => given[name] !== undefined);

/** New ones where there are none. */
function tokensBy(given: (name: keyof Tokens) => string | undefined): Tokens {
  return {
    token: given('token') ?? newSecret(),
    readToken: given('readToken') ?? newSecret(),
    metricsToken: given('metricsToken') ?? newSecret(),
    toolsToken: given('toolsToken') ?? newSecret(),
  };
}

/** A token that is not kept would be another one after the next start. */
async function keep(path: string, own: Tokens, stateFolder: string): Promise<void> {
  try {
    await writeAtomically(path, [`${JSON.stringify(own)}\n`]);
  } catch (error) {
    const message = `The state folder ${stateFolder} ${wordingOfWriteError(error)}, or set http.token and http.readToken: without them the port for browsers keeps its tokens there.`;
    throw new HostError('state_unusable', message, { path: stateFolder, reason: codeOfFileError(error) });
  }
}

function readKept(path: string): z.output<typeof kept> | undefined {
  const file = readBoundedText(path, { maxBytes: maxFileBytes });
  if (!file.ok) return undefined;
  try {
    return kept.safeParse(JSON.parse(file.text)).data;
  } catch {
    // Not what was written: new ones take its place.
    return undefined;
  }
}

async function isOpenToOthers(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o077) !== 0;
}
