// Starts a guard host, and tells what came of it: the cell's answers, and whatever the host's own streams were given.
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { PlainError } from '../../protocol/cell/plain-error.ts';

export interface Trial {
  readonly answers: readonly { readonly answer?: unknown; readonly failure?: PlainError; readonly ended?: string }[];
  readonly logs: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

const host = fileURLToPath(new URL('./guard-host.ts', import.meta.url));
const trialMs = 60_000;

/** The host's standard input stays open and silent: whoever reads it waits. */
export async function trial(...codes: readonly string[]): Promise<Trial> {
  const child = spawn(process.execPath, ['--import', 'tsx', host, ...codes], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    timeout: trialMs,
    killSignal: 'SIGKILL',
  });
  const texts = Promise.all([1, 2, 3].map((at) => textOf(child.stdio[at] as Readable)));
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const [stdout = '', stderr = '', told = ''] = await texts;
  if (told === '')
    throw new Error(`the host of the cell ended without a word (${String(exitCode ?? child.signalCode)}): ${stderr}`);
  return { ...(JSON.parse(told) as Pick<Trial, 'answers' | 'logs'>), stdout, stderr, exitCode };
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
