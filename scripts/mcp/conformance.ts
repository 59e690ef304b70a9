// `npm run conformance [-- REVISION…]`: the official conformance suite for MCP servers, against a daemon with plugins
// that have what the suite asks for. What does not pass has to stand in scripts/mcp/baseline-REVISION.yml with the
// reason, and what stands there must not pass.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KitDaemon } from '../../daemon/faults/kit-daemon.ts';
import { until } from '../../daemon/faults/until.ts';
import { startNamingProxy } from './naming-proxy.ts';

/** One of each era of the protocol. */
export const revisions = ['2025-11-25', '2026-07-28'] as const;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const plugins = here('../../test/fixtures/mcp/conformance');
const suite = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
  'dist',
  'index.js',
);

async function main(wanted: readonly string[]): Promise<number> {
  const daemon = await KitDaemon.start({ config: () => ({ http: { port: 0 }, plugins: { folders: [plugins] } }) });
  try {
    const client = await daemon.connect();
    const started = await until(
      async () => (await client.call('service.status', { plugin: 'conformance-server' })).lifecycle === 'running',
      60_000,
    );
    if (!started) throw new Error(`the server with the resources did not start:\n${daemon.log}`);
    const access = await client.call('mcp.access', {});
    const proxy = await startNamingProxy({ ...access, tools: 'conformance', prompts: 'conformance-server' });
    let failed = 0;
    for (const revision of wanted) failed += (await run(revision, proxy.url, daemon.folder)) === 0 ? 0 : 1;
    proxy.close();
    return failed === 0 ? 0 : 1;
  } finally {
    await daemon.stop();
    await daemon.remove({ withFolder: true });
  }
}

async function run(revision: string, url: string, folder: string): Promise<number> {
  const given = ['--import', here('./conformance-on-node-20.mjs'), suite, 'server', '--url', url];
  const chosen = ['--requirements', revision, '--expected-failures', here(`./baseline-${revision}.yml`)];
  const child = spawn(process.execPath, [...given, ...chosen, '--output-dir', join(folder, revision)], {
    stdio: 'inherit',
    cwd: folder,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

const wanted = process.argv.slice(2);
process.exitCode = await main(wanted.length === 0 ? revisions : wanted);
