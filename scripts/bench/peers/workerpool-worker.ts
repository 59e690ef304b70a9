// What workerpool runs in its threads.
import { worker } from 'workerpool';
import { handle } from './handler.ts';

worker({ handle });
