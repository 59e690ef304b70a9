// Numbers and times as a person reads them, in one form on the whole page.

export const number = (value) => new Intl.NumberFormat('en').format(value);

export function duration(ms) {
  if (ms < 10) return `${Number(ms.toPrecision(2))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

export const ago = (instant) => `${duration(Math.max(0, Date.now() - Date.parse(instant)))} ago`;

const two = (part) => String(part).padStart(2, '0');

/** Date and time in the reader's own zone, as the `nagaya` command shows them. */
export function time(instant) {
  const date = new Date(instant);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export const megabytes = (value) => (value >= 1024 ? `${(value / 1024).toFixed(1)} GB` : `${value.toFixed(value < 10 ? 1 : 0)} MB`);
export const rate = (value) => (value === 0 ? '0/s' : value < 10 ? `${value.toFixed(1)}/s` : `${number(Math.round(value))}/s`);
export const percent = (value) => `${value.toFixed(1)} %`;
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
