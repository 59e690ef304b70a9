// A forked process that answers over Node's own IPC channel.
import type { BenchEvent } from '../payload.ts';
import { handle } from './handler.ts';

process.on('disconnect', () => process.exit(0));
process.on('message', (event: BenchEvent) => void handle(event).then((output) => process.send?.(output)));
