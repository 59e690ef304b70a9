// Durations, sizes and times as a person reads them.

export function durationText(milliseconds: number): string {
  if (milliseconds < 10) return `${String(Number(milliseconds.toPrecision(2)))} ms`;
  if (milliseconds < 1000) return `${String(Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${String(hours)} h ${String(minutes % 60)} min`;
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

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

/** The clock time of an instant of the wire, in the reader's own time zone. */
export function clockText(instant: string): string {
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return instant;
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** How long ago an instant of the wire was. */
export const agoText = (instant: string): string =>
  `${durationText(Math.max(0, Date.now() - Date.parse(instant)))} ago`;

export { plural } from '../../../protocol/plural.ts';
