// What a stop does to events, in a thread cell.
import { stopCases } from './stop-cases.ts';

stopCases('thread');
