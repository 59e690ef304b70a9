// The other end of a station: a process that does what it is asked, one thing at a time, and ends with whoever asks.

export type Duties = Readonly<Record<string, (params: never) => unknown>>;

export interface Request {
  readonly id: number;
  readonly duty: string;
  readonly params: unknown;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly fault?: string;
}

/** `leave` is done before the process ends, and must be short. */
export function attend(duties: Duties, leave: () => Promise<unknown> = () => Promise.resolve()): void {
  process.on('disconnect', () => void leave().finally(() => process.exit(0)));
  process.on('message', (request: Request) => void answer(duties, request));
}

async function answer(duties: Duties, { id, duty, params }: Request): Promise<void> {
  let reply: Answer;
  try {
    const act = duties[duty];
    if (act === undefined) throw new Error(`there is no duty ${duty}`);
    // The station asks each of its duties for what it takes.
    reply = { id, value: await act(params as never) };
  } catch (thrown) {
    reply = { id, fault: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
  }
  process.send?.(reply);
}
