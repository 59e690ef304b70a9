// Durations as they stand in answers that are written as text: to the microsecond, without a tail of digits.

export const millis = (milliseconds: number): string => String(Math.round(milliseconds * 1000) / 1000);
