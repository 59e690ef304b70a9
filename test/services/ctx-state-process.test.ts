// ctx.state, in a real process.
import { stateCases } from '../labs/state-cases.ts';

stateCases('process');
