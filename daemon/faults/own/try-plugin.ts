// Puts a plugin under one hostile condition after the other and tells what it loses or mishandles.
import { HostError } from '../../../protocol/errors.ts';
import { type Finding, type Judged, broken } from './finding.ts';
import { type Declared, OwnPlugin, type OwnPluginOptions, wordsOfError } from './own-plugin.ts';
import { type Condition, serviceConditions } from './service-conditions.ts';
import { toolConditions } from './tool-conditions.ts';

export interface PluginReport {
  readonly plugin: string;
  readonly node: string;
  readonly at: string;
  readonly findings: readonly Finding[];
}

export type TryOptions = OwnPluginOptions & { readonly progress: (finding: Finding) => void };

/** Throws what keeps the plugin from being loaded or started at all. */
export async function tryPlugin(options: TryOptions): Promise<PluginReport> {
  const findings: Finding[] = [];
  const add = (finding: Finding): void => {
    findings.push(finding);
    options.progress(finding);
  };
  const declared = await OwnPlugin.under(options, {}, (own) => Promise.resolve(own.declared));
  for (const condition of declared.hasService ? serviceConditions : [])
    add(await underCondition(options, declared, condition));
  if (declared.tools.length > 0) await OwnPlugin.under(options, {}, (own) => callTools(own, add));
  return { plugin: declared.id, node: process.versions.node, at: new Date().toISOString(), findings };
}

async function underCondition(
  options: OwnPluginOptions,
  { handleMs }: Declared,
  { id, what, overrides, run }: Condition,
): Promise<Finding> {
  return { condition: id, what, ...(await judged(() => OwnPlugin.under(options, overrides?.(handleMs) ?? {}, run))) };
}

async function callTools(own: OwnPlugin, add: (finding: Finding) => void): Promise<void> {
  for (const tool of own.declared.tools) {
    for (const { id, what, run } of toolConditions)
      add({ condition: `${tool.name}/${id}`, what, ...(await judged(() => run(own, tool))) });
  }
}

/** A daemon that is gone, or a plugin that cannot be started there, is a finding too. */
async function judged(run: () => Promise<Judged>): Promise<Judged> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof HostError) return broken(wordsOfError(thrown));
    throw thrown;
  }
}

export const isFine = ({ findings }: PluginReport): boolean =>
  findings.every(({ verdict }) => verdict === 'fine' || verdict === 'skipped');
