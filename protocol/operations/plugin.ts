// Operations on plugins: what is known, loaded and refused.
import * as z from 'zod';
import { pluginId } from '../identifiers.ts';
import { isolation, manifest } from '../manifest.ts';
import { operation } from '../operation.ts';
import { keptEvents, lifecycle } from '../status.ts';

const pluginSummary = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string(),
  state: z.enum(['loaded', 'disabled']),
  hasService: z.boolean(),
  lifecycle: lifecycle.nullable().describe('of its service; null without one'),
  tools: z.array(z.string()),
  profiles: z.array(z.string()).describe('programs that workers can run'),
  isolation,
  notes: z
    .array(z.string())
    .describe(
      'what the author or operator should know: declared environment variables that are not set, and what this daemon does not act on',
    ),
  credentials: z
    .array(
      z.object({
        variable: z.string().nullable().describe("of the daemon's environment; null: a file of the operator's"),
        usedBy: z.string(),
        goesTo: z.string().nullable().describe('host and port; null: it verifies what comes, and goes nowhere'),
      }),
    )
    .describe('credentials that sources and outputs name, and where each goes'),
  remembered: z.boolean().describe('it was loaded at run time, and the next daemon loads it too'),
});
export type PluginSummary = z.output<typeof pluginSummary>;

const invalidPlugin = z.object({
  path: z.string(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })),
});

export const pluginOperations = {
  'plugin.list': operation({
    summary: 'The plugins that are loaded, and those found that are not valid',
    audience: 'operator',
    http: { method: 'GET', path: '/api/plugins' },
    params: z.strictObject({}),
    result: z.object({ plugins: z.array(pluginSummary), invalid: z.array(invalidPlugin) }),
  }),
  'plugin.show': operation({
    summary: 'One plugin with its manifest as it is in force',
    audience: 'operator',
    http: { method: 'GET', path: '/api/plugins/{plugin}' },
    params: z.strictObject({ plugin: pluginId }),
    result: z.object({
      plugin: pluginSummary,
      path: z.string(),
      manifest: z.looseObject({ id: manifest.shape.id, version: z.string() }),
      overridden: z.array(z.string()).describe('what the configuration changes, by path'),
      notes: z.array(z.string()).describe('what the manifest asks for that this daemon does not act on'),
    }),
    errors: ['plugin_not_found'],
  }),
  'plugin.load': operation({
    summary:
      "Reads a plugin's manifest and makes it known; a plugin without a service is imported once, and refused if that fails",
    http: { method: 'POST', path: '/api/plugins' },
    params: z.strictObject({
      path: z.string().min(1).max(4096).describe("the plugin's folder, absolute"),
      remember: z.boolean().default(true).describe('load it again when the daemon starts, until it is unloaded'),
    }),
    result: z.object({ plugin: pluginSummary }),
    errors: ['plugin_invalid', 'plugin_already_loaded', 'limit_too_large', 'start_failed'],
  }),
  'plugin.reload': operation({
    summary:
      'Reads the plugin again and hands its running service over to a new incarnation between two events; the old one goes on where the new one does not start; a service that has failed is started',
    audience: 'operator',
    http: { method: 'POST', path: '/api/plugins/{plugin}/reload' },
    params: z.strictObject({ plugin: pluginId }),
    result: z.object({
      plugin: pluginSummary,
      incarnation: z.int().min(0).describe('of its service, after the reload'),
      ...keptEvents.shape,
    }),
    errors: [
      'plugin_not_found',
      'plugin_invalid',
      'start_timeout',
      'start_failed',
      'cell_crashed',
      'service_unavailable',
      'service_stopped',
    ],
  }),
  'plugin.unload': operation({
    summary: "Stops the plugin's service and tools and forgets it, also for the next start of the daemon",
    http: { method: 'DELETE', path: '/api/plugins/{plugin}' },
    params: z.strictObject({
      plugin: pluginId,
      discard: z
        .boolean()
        .default(false)
        .describe('drop its queue instead of keeping what is on disk for the next load'),
    }),
    result: z.object({ plugin: z.object({ id: z.string(), state: z.literal('unloaded') }), ...keptEvents.shape }),
    errors: ['plugin_not_found'],
  }),
};
