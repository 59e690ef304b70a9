// Stands for a type of source that this daemon cannot run: visible as a fault, and nothing else.
import type { DriverContext, SourceDriver } from './driver.ts';

export class UnknownDriver implements SourceDriver {
  constructor(context: DriverContext) {
    const { type } = context.source.declaration;
    context.state('faulty', {
      code: 'unsupported_operation',
      message: `This version of the daemon does not run sources of the type ${type}.`,
    });
  }

  changed(): void {
    // It stays as it is.
  }

  reread(): void {
    // It needs no credential.
  }

  close(): void {
    // Nothing is open.
  }
}
