// Certificates that a test makes for itself with openssl: an authority of its own, and what that signs.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a test is skipped with; continuous integration has it. */
export const noOpenssl: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed: apt-get install openssl';

export interface Signed {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Authority {
  readonly caFile: string;
  /** For 127.0.0.1, as a server and as a client; one that has expired was valid for a day of the year 2020. */
  issue(name: string, options?: { readonly expired?: boolean; readonly host?: string }): Signed;
}

/** What `openssl ca` needs to be told, in place of the system's configuration. */
const settings = (folder: string, host: string): string => `
[ca]
default_ca = own
[own]
new_certs_dir = ${folder}
database = ${folder}/index.txt
serial = ${folder}/serial
default_md = sha256
policy = any
x509_extensions = leaf
unique_subject = no
[any]
commonName = supplied
[leaf]
subjectAltName = ${host}
[req]
distinguished_name = names
[names]
`;

export function makeAuthority(folder: string, name = 'an authority of tests'): Authority {
  mkdirSync(folder, { recursive: true });
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const [caFile, caKey] = [at('ca.pem'), at('ca.key')];
  openssl('req', '-x509', ...newKey, '-keyout', caKey, '-out', caFile, '-days', '30', '-subj', `/CN=${name}`);
  writeFileSync(at('index.txt'), '');
  writeFileSync(at('serial'), '01\n');
  return {
    caFile,
    issue(subject, { expired = false, host = 'IP:127.0.0.1' } = {}) {
      const [certFile, keyFile, request, config] = ['pem', 'key', 'csr', 'cnf'].map((end) => at(`${subject}.${end}`));
      if (certFile === undefined || keyFile === undefined || request === undefined || config === undefined)
        throw new Error('four names become four paths');
      writeFileSync(config, settings(folder, host));
      openssl('req', ...newKey, '-keyout', keyFile, '-out', request, '-subj', `/CN=${subject}`);
      const valid = expired ? ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'] : ['-days', '30'];
      const signing = ['ca', '-batch', '-notext', '-config', config, '-cert', caFile, '-keyfile', caKey];
      openssl(...signing, ...valid, '-in', request, '-out', certFile);
      return { certFile, keyFile };
    },
  };
}
