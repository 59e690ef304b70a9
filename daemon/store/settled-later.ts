// A promise that is settled from outside, and may be rejected while nobody waits.
export interface SettledLater {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

export function settledLater(): SettledLater {
  let settle: Pick<SettledLater, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => undefined);
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) };
}
