// The retry of published events, in a real process.
import { retryCases } from '../labs/retry-cases.ts';

retryCases('process');
