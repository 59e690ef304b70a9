// What keeps dead letters and commands: the store, or for a service that is placed in a cluster, the cluster.
import type { Change } from '../../protocol/store/change.ts';
import type { RangePage } from '../../protocol/store/messages.ts';
import type { RangeQuery } from './store-reads.ts';

export interface EntryStore {
  /** Something is kept, or may be. */
  readonly exists: boolean;
  readonly kept: { pages(query: RangeQuery): AsyncIterable<RangePage> };
  /** Resolves when all of the changes are kept. */
  commit(changes: readonly Change[]): Promise<void>;
  /** Runs when what was read can be trusted no more. Returns a function that ends it. */
  onReopened(listener: () => void): () => void;
}
