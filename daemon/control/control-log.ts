// The two ways in which control speaks to the daemon's log; pino's own methods have this form.

export interface ControlLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
