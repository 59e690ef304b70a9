// What a thrown value says of the next attempt: that there is to be none, or when. The plugin may throw the classes of
// its own copy of the SDK, so they are known by a mark that every copy gives them, or by their name.
import { longestMs } from '../protocol/durations.ts';
import { permanentMark, retryLaterMark } from './sdk/retry-errors.ts';

export interface RetryWish {
  readonly permanent?: true;
  readonly afterMs?: number;
}

const none: RetryWish = {};
const permanent: RetryWish = { permanent: true };

export function retryWishOf(thrown: unknown): RetryWish {
  if (typeof thrown !== 'object' || thrown === null) return none;
  try {
    const name: unknown = Reflect.get(thrown, 'name');
    if (Reflect.get(thrown, permanentMark) === true || name === 'PermanentError') return permanent;
    if (Reflect.get(thrown, retryLaterMark) !== true && name !== 'RetryLater') return none;
    const afterMs: unknown = Reflect.get(thrown, 'afterMs');
    return typeof afterMs === 'number' && afterMs >= 0 ? { afterMs: Math.min(afterMs, longestMs) } : none;
  } catch {
    // A getter or a proxy that throws belongs to the plugin; its event is tried again like any other.
    return none;
  }
}
