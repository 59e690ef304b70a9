// The official conformance suite for MCP servers, in both eras of the protocol: what does not pass stands in a file
// with its reason, and what stands there does not pass.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const script = (name: string): string => fileURLToPath(new URL(`../../scripts/mcp/${name}`, import.meta.url));

for (const revision of ['2025-11-25', '2026-07-28']) {
  test(`the conformance suite of ${revision} finds nothing that is not known`, async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', script('conformance.ts'), revision], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr)]);
    assert.equal(await ended, 0, `${out}\n${problems}`);
  });

  test(`each scenario of ${revision} that does not pass has its reason`, () => {
    const file = readFileSync(script(`baseline-${revision}.yml`), 'utf8');
    const { server } = parse(file) as { readonly server: readonly string[] };
    for (const scenario of server)
      assert.match(file, new RegExp(`- ${scenario} # .{20,}`), `${scenario} stands there without a reason`);
  });
}
