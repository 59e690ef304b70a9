// What a handler throws to say what is to become of its event. Each instance carries a mark, because the plugin and the
// cell that runs it may have loaded different copies of this file.

/** Registered under their names, so that they are the same in every copy. */
export const permanentMark = Symbol.for('nagaya.permanent');
export const retryLaterMark = Symbol.for('nagaya.retryLater');

/** Another attempt would be of no use: a published event becomes a dead letter at once. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
  readonly [permanentMark] = true;
}

export interface RetryLaterOptions extends ErrorOptions {
  /** How long a published event is to wait for its next attempt. Absent: as `service.retry` says. */
  readonly afterMs?: number;
}

/** The event is to be tried again, after a time that the handler knows better than the back-off. The attempt counts. */
export class RetryLater extends Error {
  override readonly name: string = 'RetryLater';
  readonly [retryLaterMark] = true;
  readonly afterMs: number | undefined;

  constructor(message?: string, { afterMs, ...options }: RetryLaterOptions = {}) {
    super(message, options);
    this.afterMs = afterMs;
  }
}
