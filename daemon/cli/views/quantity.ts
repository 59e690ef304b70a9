// Durations, sizes and times as a person reads them.
import { durationText, timeText } from '../../../protocol/time-text.ts';

export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${String(Number(amount.toPrecision(3)))} ${units[unit] ?? ''}`;
}

export function rateText(perSecond: number): string {
  if (perSecond === 0) return '0/s';
  if (perSecond < 10) return `${perSecond.toFixed(1)}/s`;
  return perSecond < 10_000 ? `${String(Math.round(perSecond))}/s` : `${String(Math.round(perSecond / 1000))}k/s`;
}

/** Of a share between 0 and 1. */
export const percentText = (share: number): string => `${String(Number((share * 100).toFixed(share < 0.1 ? 1 : 0)))} %`;

/** How long ago an instant of the wire was. */
export const agoText = (instant: string): string =>
  `${durationText(Math.max(0, Date.now() - Date.parse(instant)))} ago`;

export { plural } from '../../../protocol/plural.ts';
export { durationText, timeText };
