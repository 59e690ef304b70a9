// The retry of published events, in a real thread.
import { retryCases } from '../labs/retry-cases.ts';

retryCases('thread');
