// Starting and stopping a service in a real thread.
import { lifecycleCases } from './lifecycle-cases.ts';

lifecycleCases('thread');
