// Who may import what: the arrows between the layers, and the edge at which each dependency is kept.

export const layers = ['protocol', 'workers', 'daemon'] as const;
export type Layer = (typeof layers)[number];

export const layerOf = (file: string): Layer | undefined => layers.find((layer) => file.startsWith(`${layer}/`));

/** What a layer may import of the others: `types` are gone once compiled. */
export const arrows: Readonly<Record<Layer, Readonly<Record<Layer, 'all' | 'types' | 'nothing'>>>> = {
  protocol: { protocol: 'all', workers: 'nothing', daemon: 'nothing' },
  workers: { protocol: 'all', workers: 'all', daemon: 'nothing' },
  daemon: { protocol: 'all', workers: 'types', daemon: 'all' },
};

/**
 * Where each dependency may be imported, by the beginning of the path; a dependency that is not here may be nowhere.
 */
export const edges: Readonly<Record<string, readonly string[]>> = {
  // Only the MCP thread loads it.
  '@modelcontextprotocol/server': ['workers/mcp'],
  // Only the thread of the cluster loads them.
  '@nats-io/jetstream': ['workers/cluster/'],
  '@nats-io/kv': ['workers/cluster/'],
  '@nats-io/transport-node': ['workers/cluster/'],
  acorn: ['daemon/cli/authoring/'],
  ajv: ['workers/'],
  comlink: ['daemon/cells/', 'workers/'],
  commander: ['daemon/cli/'],
  croner: ['daemon/edge/'],
  // The engine of the store: only its thread loads it.
  lmdb: ['workers/store/'],
  // An optional peer: whoever declares something of type mqtt installs it.
  mqtt: ['workers/edge/'],
  pino: ['daemon/telemetry/'],
  piscina: ['daemon/tools/', 'workers/'],
  tinypool: ['daemon/tools/', 'workers/'],
  // Where it happens to be installed: no dependency of what is published.
  tsx: ['workers/plugin-module.ts'],
  yaml: ['daemon/config/'],
  undici: ['workers/edge/'],
  ws: ['workers/edge/'],
  zod: ['protocol/', 'daemon/'],
};

/** The protocol does no input or output but in its client. */
export const ioModules = [
  'child_process',
  'cluster',
  'dgram',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'inspector',
  'net',
  'tls',
  'worker_threads',
];
export const ioEdge = { layer: 'protocol', except: 'protocol/client/' } as const;

/** What must start fast, or run inside a cell, loads no schema library: not by itself, nor by what it imports. */
export const withoutAtRunTime = {
  dependency: 'zod',
  files: ['workers/', 'protocol/cell/', 'protocol/client/'],
} as const;
