// One partition of a service that the members of a cluster share, on this member.
import { type HeldPartition, partitionUnit } from '../../protocol/cluster/messages.ts';
import { LeasedUnit, type LeasedUnitDeps } from './leased-unit.ts';

export interface PartitionDeps extends Omit<LeasedUnitDeps, 'unit' | 'partition'> {
  readonly plugin: string;
  readonly number: number;
}

export class Partition extends LeasedUnit {
  readonly number: number;

  constructor({ plugin, number, ...deps }: PartitionDeps) {
    super({ ...deps, unit: partitionUnit(plugin, number), partition: number });
    this.number = number;
  }

  get held(): readonly HeldPartition[] {
    return this.heldUnder === undefined ? [] : [{ partition: this.number, fence: this.heldUnder }];
  }
}
