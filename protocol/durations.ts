// The longest time anybody may ask for, of a call as of a configuration: beyond a day nothing is a deadline any more.
export const longestMs = 86_400_000;
