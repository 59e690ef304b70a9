// An answer that comes later. On the hot path a promise costs more than the call it stands for, so that this is settled
// and heard directly; whoever wants a promise can have one.

export type Settled<Result> = (
  outcome: { readonly ok: true; readonly result: Result } | { readonly ok: false; readonly thrown: unknown },
) => void;

export class Deferred<Result> {
  /** Until it is settled nothing more is to be taken from who waits for it. */
  readonly pausesConnection: boolean;
  /** The host itself settles it soon: it waits for the disk and for no plugin. */
  readonly isBrief: boolean;
  #outcome: Parameters<Settled<Result>>[0] | undefined;
  #settled: Settled<Result> | undefined;

  constructor({ holds = false, isBrief = false }: { readonly holds?: boolean; readonly isBrief?: boolean } = {}) {
    this.pausesConnection = holds;
    this.isBrief = isBrief;
  }

  static of<Result>(promise: Promise<Result>, options: { readonly holds: boolean }): Deferred<Result> {
    const later = new Deferred<Result>(options);
    promise.then(
      (result) => later.resolve(result),
      (thrown: unknown) => later.reject(thrown),
    );
    return later;
  }

  resolve(result: Result): void {
    this.#settle({ ok: true, result });
  }

  reject(thrown: unknown): void {
    this.#settle({ ok: false, thrown });
  }

  /** One listener, once; at once where it is settled already. */
  whenSettled(settled: Settled<Result>): void {
    this.#settled = settled;
    if (this.#outcome !== undefined) settled(this.#outcome);
  }

  get promise(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.whenSettled((outcome) => {
        if (outcome.ok) resolve(outcome.result);
        else reject(outcome.thrown instanceof Error ? outcome.thrown : new Error('a refusal that is no error'));
      });
    });
  }

  #settle(outcome: Parameters<Settled<Result>>[0]): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#settled?.(outcome);
  }
}
