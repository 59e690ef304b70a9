// What a stop does to events, in a process cell.
import { stopCases } from '../labs/stop-cases.ts';

stopCases('process');
