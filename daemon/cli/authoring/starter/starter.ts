// What `nagaya new` writes: the smallest plugin that does something, with a test that passes at once. Each kind is a
// list of files, so that it can be shown, tested and compared with what the documentation says.
import { packageRoot, packageVersion } from '../../install.ts';
import { type StarterSource, sourceEntry, sourceManifest, sourceTest } from './source-starter.ts';
import { serviceEntry, serviceManifest, serviceTest } from './service-starter.ts';
import { toolEntry, toolManifest, toolTest } from './tool-starter.ts';

export const starterKinds = ['service', 'tool'] as const;
export type StarterKind = (typeof starterKinds)[number];

export interface StarterOptions {
  readonly kind: StarterKind;
  readonly id: string;
  readonly typescript: boolean;
  /** Of a service: what feeds it beside the control socket. */
  readonly from?: StarterSource | undefined;
}

export interface StarterFile {
  readonly path: string;
  readonly text: string;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export function starterFiles(options: StarterOptions): StarterFile[] {
  const { kind, id, typescript, from } = options;
  const entry = typescript ? 'index.ts' : 'index.js';
  const [manifest, source, test] =
    kind === 'service' && from !== undefined
      ? [sourceManifest(id, entry, from), sourceEntry(from, typescript), sourceTest(from)]
      : kind === 'service'
        ? [serviceManifest(id, entry), serviceEntry(typescript), serviceTest()]
        : [toolManifest(id, entry), toolEntry(typescript), toolTest()];
  return [
    { path: 'plugin.json', text: json(manifest) },
    { path: entry, text: source },
    // JavaScript in both cases: it must run as it stands on every Node.
    { path: 'index.test.js', text: test },
    { path: 'package.json', text: json(packageJson(id, typescript)) },
    ...(typescript ? [{ path: 'tsconfig.json', text: json(tsconfig) }] : []),
    { path: '.gitignore', text: 'node_modules/\n' },
  ];
}

function packageJson(id: string, typescript: boolean): Record<string, unknown> {
  return {
    name: id,
    version: '0.1.0',
    private: true,
    type: 'module',
    scripts: { test: 'node --test', check: 'nagaya check .', ...(typescript ? { types: 'tsc' } : {}) },
    // The same link that is made now, for whoever runs `npm install` later; a published plugin names a version.
    devDependencies: { nagaya: `file:${packageRoot}`, ...(typescript ? { typescript: '>=5.8', tsx: '>=4.19' } : {}) },
    engines: { node: '>=20.20' },
    nagaya: { madeBy: packageVersion() },
  };
}

const tsconfig = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
  },
  include: ['*.ts'],
};
