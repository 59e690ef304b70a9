// The form of a schedule's cron expression, checked where the manifest is read, so that a schedule that cannot be
// understood is refused with the field at fault. When it is due next is computed elsewhere.

interface CronField {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly words?: readonly string[];
}

const fields: readonly CronField[] = [
  { name: 'second', least: 0, most: 59 },
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  {
    name: 'month',
    least: 1,
    most: 12,
    words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of the week', least: 0, most: 7, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

/** In months that have the fewest days of all years. */
const daysOfMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Undefined where the expression is one. */
export function cronFault(text: string): string | undefined {
  const given = text.trim().split(/\s+/);
  if (given.length !== 5 && given.length !== 6)
    return `must have five fields (minute, hour, day of the month, month, day of the week), or six with the second first, but has ${String(text.trim() === '' ? 0 : given.length)}`;
  const meant = fields.slice(fields.length - given.length);
  for (const [at, field] of meant.entries()) {
    const fault = fieldFault(given[at] ?? '', field);
    if (fault !== undefined) return fault;
  }
  return neverFault(given.slice(-3));
}

function fieldFault(text: string, field: CronField): string | undefined {
  for (const part of text.split(',')) {
    const form = /^(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:\/(\d{1,4}))?$/i.exec(part);
    if (form === null || /^[0-9a-z]+\//i.test(part))
      return `has "${part}" as the ${field.name}; write *, a number, a range such as 1-5, a step such as */5, or a list`;
    const [, range = '*', step] = form;
    if (step !== undefined && (Number(step) < 1 || Number(step) > field.most))
      return `has the step ${step} in the ${field.name}, which must be from 1 to ${String(field.most)}`;
    if (range === '*') continue;
    const [from, to] = range.split('-').map((word) => valueOf(word, field));
    if (from === undefined || (range.includes('-') && to === undefined))
      return `has "${range}" as the ${field.name}, which must be from ${String(field.least)} to ${String(field.most)}`;
    if (to !== undefined && to < from)
      return `has the range ${range} in the ${field.name}, which ends before it begins`;
  }
  return undefined;
}

function valueOf(word: string, { least, most, words }: CronField): number | undefined {
  const named = words?.indexOf(word.toLowerCase()) ?? -1;
  const value = named === -1 ? (/^\d{1,2}$/.test(word) ? Number(word) : NaN) : named + (least === 1 ? 1 : 0);
  return value >= least && value <= most ? value : undefined;
}

/** The 31st of February never comes: a schedule that is never due is a mistake. */
function neverFault([day = '*', month = '*', weekday = '*']: readonly string[]): string | undefined {
  if (weekday !== '*' || !/^\d+$/.test(day)) return undefined;
  const months = month
    .split(',')
    .map((word) => valueOf(word, fields[4] as CronField))
    .filter((value) => value !== undefined);
  if (months.length === 0 || month.split(',').length !== months.length) return undefined;
  return months.every((value) => Number(day) > (daysOfMonth[value - 1] ?? 31))
    ? `names the day ${day}, which no month it names has`
    : undefined;
}
