// One thing the doctor looked at: how it is, and where it is not well the command that fixes it.

export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'fault';
  readonly message: string;
  readonly remedy?: string;
}

export const ok = (check: string, message: string, remedy?: string): Finding => ({
  check,
  state: 'ok',
  message,
  ...(remedy === undefined ? {} : { remedy }),
});
export const warning = (check: string, message: string, remedy: string): Finding => ({
  check,
  state: 'warning',
  message,
  remedy,
});
export const fault = (check: string, message: string, remedy: string): Finding => ({
  check,
  state: 'fault',
  message,
  remedy,
});
