// A store with its real thread and files, as a daemon has it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { config } from '../../daemon/config/schema.ts';
import { armFailpoints, failpointsVariable, testVariable } from '../../daemon/files/failpoints.ts';
import type { StoreLimits } from '../../daemon/store/store-calls.ts';
import { Store, type StoreOptions } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export interface StoreLab {
  readonly store: Store;
  readonly stateFolder: string;
  /** What the operator was told. */
  readonly told: readonly string[];
  /** How often what was read before had to be read again. */
  reopened(): number;
}

export interface StoreLabOptions extends Partial<Omit<StoreOptions, 'limits'>> {
  readonly limits?: Partial<StoreLimits>;
}

export async function storeLab(t: TestContext, options: StoreLabOptions = {}): Promise<StoreLab> {
  const stateFolder = options.stateFolder ?? join(await temporaryFolder(t), 'state');
  const told: string[] = [];
  let reopened = 0;
  const limits = { ...config.parse({}).limits, ...options.limits };
  const store = new Store({
    version: '0.0.0',
    clock: realClock,
    tell: (level, message) => void told.push(`${level}: ${message}`),
    ...options,
    stateFolder,
    limits,
  });
  store.onReopened(() => (reopened += 1));
  t.after(() => store.close(10_000));
  return { store, stateFolder, told, reopened: () => reopened };
}

/** As a test of the daemon orders them; each is used up after its number of times. */
export function orderFault(order: string): void {
  armFailpoints(
    { [failpointsVariable]: order, [testVariable]: 'yes' },
    { warn: () => undefined, error: () => undefined },
  );
}

export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

/** Tries again until a commit is on disk. */
export const untilItWorks = (store: Store): Promise<void> =>
  until('the store works again', () =>
    store.commit([{ op: 'put', table: 'probe', key: 'k', value: 'v' }]).then(
      () => true,
      () => false,
    ),
  );

/** What a commit or a read was refused with. */
export function refusalOf(outcome: PromiseSettledResult<unknown> | undefined): HostError {
  assert.ok(outcome?.status === 'rejected' && outcome.reason instanceof HostError, 'it was not refused');
  return outcome.reason;
}
