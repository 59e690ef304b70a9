// ctx.state, in a real thread.
import { stateCases } from '../labs/state-cases.ts';

stateCases('thread');
