// Runs code that a plugin gives to a Worker as text. Node runs such code before anything that could be loaded first, so
// that it is run here, behind the guard, with what Node would have given it.
import { Module } from 'node:module';
import { join } from 'node:path';
import { Script, constants } from 'node:vm';
import { shieldNested } from './nested-shield.ts';

const code = process.argv.pop() ?? '';
shieldNested(process.argv.pop() ?? '');

const filename = '[worker eval]';
process.argv[1] = filename;

const module = new Module(filename) as unknown as { readonly exports: unknown };
const require = Module.createRequire(join(process.cwd(), filename));
Object.assign(globalThis, { module, exports: module.exports, require, __filename: filename });

new Script(code, { filename, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }).runInThisContext();
