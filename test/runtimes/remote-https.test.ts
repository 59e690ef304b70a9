// A daemon behind a proxy with TLS, as docs/runtimes.md sets it up: its certificate is trusted by an authority that the
// operator names, and by no other.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { type Authority, type Signed, makeAuthority, noOpenssl } from '../labs/certificates.ts';
import { nagaya } from '../labs/cli-process.ts';
import { farToken, freePort, startFar, startNear } from '../labs/remote-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

/** Ends TLS and passes everything on. Resolves to its port. */
async function startProxy(t: TestContext, { certFile, keyFile }: Signed, far: number): Promise<number> {
  const host = `127.0.0.1:${String(far)}`;
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (from, to) => {
    const passed = request(
      { host: '127.0.0.1', port: far, method: from.method, path: from.url, headers: { ...from.headers, host } },
      (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(to);
        to.once('close', () => answer.destroy());
      },
    );
    passed.once('error', () => to.destroy());
    from.pipe(passed);
  });
  // A client that does not trust the certificate ends its connection.
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function authorities(t: TestContext): Promise<{ own: Authority; other: Authority }> {
  const folder = await temporaryFolder(t);
  return { own: makeAuthority(join(folder, 'own')), other: makeAuthority(join(folder, 'other'), 'another authority') };
}

const https = (port: number) => ({ entry: { url: `https://127.0.0.1:${String(port)}` } });

test('workers are made and followed through a proxy with TLS', { skip: noOpenssl }, async (t) => {
  const { own } = await authorities(t);
  const far = await freePort();
  const [port] = await Promise.all([startProxy(t, own.issue('proxy'), far), startFar(t, far)]);
  const { client } = await startNear(t, port, { ...https(port), env: { NODE_EXTRA_CA_CERTS: own.caFile } });
  const made = await client.call('worker.create', { runtimeId: 'far', intent: 'over TLS' });
  const worker = { runtimeId: 'far', workerId: made.workerId };
  const { next } = await client.call('worker.events', worker);
  await client.call('worker.input', { ...worker, content: 'hello' });
  const { events } = await client.call('worker.events', { ...worker, after: next, waitMs: 30_000 });
  assert.ok(events.length > 0);
  await untilAnswer(
    'an answer',
    () => client.call('worker.transcript', worker),
    ({ items }) => items.some(({ role, status }) => role === 'worker' && status === 'done'),
  );
});

test(
  'a certificate that nobody trusts, of another host, or expired is refused by name, and never shown the token',
  { skip: noOpenssl },
  async (t) => {
    const { own, other } = await authorities(t);
    const far = await freePort();
    await startFar(t, far);
    const certificates: readonly [signed: Signed, cause: string][] = [
      [other.issue('proxy'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      [own.issue('elsewhere', { host: 'DNS:attic.example' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
      [own.issue('old', { expired: true }), 'CERT_HAS_EXPIRED'],
    ];
    const ports = await Promise.all(certificates.map(([signed]) => startProxy(t, signed, far)));
    const { client, daemon } = await startNear(t, far, {
      entry: ports.map((port, index) => ({ id: `far-${String(index)}`, url: `https://127.0.0.1:${String(port)}` })),
      env: { NODE_EXTRA_CA_CERTS: own.caFile },
    });
    for (const [index, [, cause]] of certificates.entries()) {
      const runtimeId = `far-${String(index)}`;
      await assert.rejects(
        () => client.call('runtime.workers', { runtimeId }),
        (error: HostError) => {
          assert.deepEqual([error.code, error.details['cause']], ['runtime_unreachable', cause]);
          return true;
        },
      );
    }
    const { stdout } = await nagaya(t, ['doctor', '--json', '--socket', daemon.socket]);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; state: string; message: string }[] };
    const told = findings.filter(({ check }) => check === 'remote runtimes');
    assert.deepEqual(
      told.map(({ state }) => state),
      ['warning', 'warning', 'warning'],
    );
    for (const [index, [, cause]] of certificates.entries()) assert.ok(told[index]?.message.includes(cause), stdout);
    assert.ok(!(stdout + daemon.log()).includes(farToken));
  },
);
