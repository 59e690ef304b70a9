// What a process cell says beyond what every cell says, checked by hand message by message like the rest.
import type { BegunMessage, VitalsMessage } from '../../../protocol/cell/process-messages.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER;

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
