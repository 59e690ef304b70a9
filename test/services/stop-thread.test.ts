// What a stop does to events, in a thread cell.
import { stopCases } from '../labs/stop-cases.ts';

stopCases('thread');
