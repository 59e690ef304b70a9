// What the compiler does not see: promises nobody waits for, values without a type, functions that outgrow a screen.
// Layout is not its business; import directions are held by scripts/check/imports.ts.
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// Lines are at most 120 columns wide, so that what stood in one wide line may take several.
const screen = { max: 80, skipBlankLines: true, skipComments: true };
const file = { max: 370, skipBlankLines: true, skipComments: true };

/** `test()` of node:test returns a promise that its runner waits for. */
const runnerCalls = [{ from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'] }];

const nodeGlobals = Object.fromEntries(
  ['AbortController', 'AbortSignal', 'Blob', 'BroadcastChannel', 'Event', 'EventTarget', 'ReadableStream', 'URLSearchParams', 'WritableStream', 'atob', 'btoa', 'crypto', 'Buffer', 'MessageChannel', 'MessagePort', 'SharedArrayBuffer', 'Atomics', 'URL', 'WebAssembly', 'clearImmediate', 'clearInterval', 'clearTimeout', 'console', 'fetch', 'globalThis', 'performance', 'process', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout', 'structuredClone', 'TextDecoder', 'TextEncoder'].map((name) => [name, 'readonly']),
);

const browserGlobals = Object.fromEntries(
  ['EventSource', 'FormData', 'Option', 'ResizeObserver', 'addEventListener', 'document', 'getComputedStyle', 'location', 'removeEventListener', 'window'].map((name) => [name, 'readonly']),
);

/** Mistakes in any JavaScript. */
const mistakes = Object.fromEntries(
  [
    'no-async-promise-executor', 'no-cond-assign', 'no-constant-binary-expression', 'no-dupe-else-if', 'no-dupe-keys', 'no-duplicate-case', 'no-empty', 'no-empty-pattern',
    'no-ex-assign', 'no-fallthrough', 'no-loss-of-precision', 'no-misleading-character-class', 'no-prototype-builtins', 'no-regex-spaces', 'no-self-assign', 'no-self-compare',
    'no-sparse-arrays', 'no-unreachable', 'no-unsafe-finally', 'no-unsafe-optional-chaining', 'no-unused-labels', 'no-unused-private-class-members',
    'no-useless-catch', 'no-useless-escape', 'no-var', 'object-shorthand', 'prefer-const', 'require-yield', 'use-isnan', 'valid-typeof',
  ].map((rule) => [rule, 'error']),
);

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    name: 'typescript of the project',
    files: ['{protocol,workers,daemon,scripts,test}/**/*.{ts,mts}'],
    ignores: ['test/fixtures/**'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...mistakes,
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: runnerCalls }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: false }],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/only-throw-error': 'error',
      // Interfaces here write functions in the short form; none of them needs its object.
      '@typescript-eslint/unbound-method': 'off',
      // The compiler's own noUnusedLocals and noUnusedParameters say it.
      '@typescript-eslint/no-unused-vars': 'off',
      complexity: ['error', { max: 16, variant: 'modified' }],
      'max-depth': ['error', 4],
      'max-lines': ['error', file],
      'max-lines-per-function': ['error', screen],
      'max-params': ['error', 5],
      'no-console': 'error',
      'no-eval': 'error',
      '@typescript-eslint/no-implied-eval': 'error',
      'no-param-reassign': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    name: 'what a person runs may print',
    files: ['daemon/cli/**', 'scripts/**'],
    rules: { 'no-console': 'off' },
  },
  {
    name: 'tests are as long as their story',
    files: ['test/**'],
    rules: {
      complexity: 'off',
      'max-lines': 'off',
      'max-params': 'off',
      'max-lines-per-function': 'off',
      'no-console': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    name: 'plugins: examples, and fixtures that are wrong on purpose',
    files: ['**/*.{js,mjs,cjs}', 'examples/**', 'test/fixtures/**'],
    extends: [tseslint.configs.base, tseslint.configs.disableTypeChecked],
    languageOptions: { globals: nodeGlobals },
    rules: { 'no-undef': 'error', 'no-dupe-keys': 'error', 'no-unreachable': 'error', 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    name: 'CommonJS: the launcher',
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', module: 'writable', __dirname: 'readonly', __filename: 'readonly' } },
  },
  {
    name: 'the page that the daemon serves',
    files: ['web/**/*.js'],
    languageOptions: { globals: browserGlobals },
    rules: mistakes,
  },
);
