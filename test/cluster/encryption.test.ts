// A nats-server that speaks TLS, with certificates of an authority of its own: who trusts whom, and what is said where
// somebody does not.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Signed, makeAuthority, noOpenssl } from '../labs/certificates.ts';
import { joined, refused, startGuarded, tellsNothingOf } from '../labs/guarded-nats.ts';
import { noServer, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const skip = noServer === false ? noOpenssl : noServer;

const serverConfig = ({ certFile, keyFile }: Signed, more = ''): string =>
  `authorization { token: "token-over-tls-5d1c" }\ntls { cert_file: "${certFile}", key_file: "${keyFile}", timeout: 20, ${more} }\n`;
const credentials = { tokenEnv: 'NATS_TOKEN' };
const env = { NATS_TOKEN: 'token-over-tls-5d1c' };

test('members trust the authority that caFile names, and say why they do not trust a server', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const [own, other] = ['own', 'other'].map((name) => makeAuthority(join(folder, name), name));
  assert.ok(own !== undefined && other !== undefined);
  const good = own.issue('server');
  const { nats, configure } = await startGuarded(t, serverConfig(good));
  const start = (name: string, tls: object, joins: boolean) =>
    startMember(t, nats, name, { nats: { credentials, tls }, env, joins, config: shortLease });
  const [one, two, three, four] = await Promise.all([
    start('one', { caFile: own.caFile }, true),
    start('two', { caFile: other.caFile }, false),
    start('three', {}, false),
    start('four', { caFile: good.keyFile }, false),
  ]);
  await refused(two, /certificate is signed by nobody whom cluster\.nats\.tls\.caFile names \(UNABLE_TO_VERIFY/);
  await refused(three, /signed by nobody whom this system trusts; set cluster\.nats\.tls\.caFile/);
  await refused(four, /cluster\.nats\.tls\.caFile: it holds no certificate in PEM form/);
  await tellsNothingOf(t, two, [env.NATS_TOKEN, folder]);
  await tellsNothingOf(t, four, [env.NATS_TOKEN, folder]);
  await configure(serverConfig(own.issue('old', { expired: true })));
  await refused(one, /its certificate has expired \(CERT_HAS_EXPIRED\)/);
  // Of localhost, and the address is a number.
  await configure(serverConfig(own.issue('named', { host: 'DNS:localhost' })));
  await refused(one, /certificate is for another name than the address in cluster\.nats\.servers/);
  await tellsNothingOf(t, one, [env.NATS_TOKEN, folder]);
  await configure(serverConfig(own.issue('new')));
  await joined(one);
});

test(
  'a server that asks for a certificate of its clients: none, one that is not signed, expired, or without its key',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const [own, other] = ['own', 'other'].map((name) => makeAuthority(join(folder, name), name));
    assert.ok(own !== undefined && other !== undefined);
    const { caFile } = own;
    const { nats } = await startGuarded(t, serverConfig(own.issue('server'), `ca_file: "${caFile}", verify: true`));
    const client = own.issue('client');
    const start = (name: string, tls: Partial<Signed>, joins: boolean) =>
      startMember(t, nats, name, {
        nats: { credentials, tls: { caFile, ...tls } },
        env,
        joins,
        config: { limits: { clusterMs: 3000 } },
      });
    const [, two, three, four, five, six] = await Promise.all([
      start('one', client, true),
      start('two', {}, false),
      start('three', other.issue('client'), false),
      start('four', own.issue('old', { expired: true }), false),
      start('five', { ...client, keyFile: own.issue('another').keyFile }, false),
      start('six', { ...client, keyFile: join(folder, 'none.key') }, false),
    ]);
    await refused(two, /asks for a certificate of this daemon: set cluster\.nats\.tls\.certFile and keyFile/);
    await refused(three, /does not accept the certificate of this daemon, cluster\.nats\.tls\.certFile/);
    await refused(four, /cluster\.nats\.tls\.certFile: the certificate expired at 2020-01-02/);
    await refused(five, /cluster\.nats\.tls: keyFile is not the key of certFile/);
    await refused(six, /cluster\.nats\.tls\.keyFile: it cannot be read \(ENOENT\)/);
    await tellsNothingOf(t, six, [env.NATS_TOKEN, folder]);
  },
);

test('a server without TLS is sent no credential where the configuration asks for it', { skip }, async (t) => {
  const nats = await startNats(t);
  const plain = { url: nats.url.replace('nats://', 'tls://') };
  const member = await startMember(t, plain, 'one', { nats: { credentials }, env, joins: false });
  await refused(member, /does not speak TLS, which the configuration asks for/);
  await tellsNothingOf(t, member, [env.NATS_TOKEN]);
});
