// What a process cell says beyond what every cell says, checked by hand message by message like the rest.
import type { BegunMessage, VitalsMessage } from '../../../protocol/cell/process-messages.ts';
import { isFields } from '../../../protocol/fields.ts';
import { isAmount } from '../../isolates/untrusted-values.ts';

export const isBegun = (value: unknown): value is BegunMessage =>
  isFields(value) && value['type'] === 'begun' && Number.isSafeInteger(value['sequence']) && isAmount(value['atMs']);

export const isVitals = (value: unknown): value is VitalsMessage =>
  isFields(value) &&
  value['type'] === 'vitals' &&
  isAmount(value['heapUsedBytes']) &&
  isAmount(value['externalBytes']) &&
  isAmount(value['rssBytes']) &&
  isAmount(value['utilization']) &&
  value['utilization'] <= 1;
