// Starting and stopping a service in a real thread.
import { lifecycleCases } from '../labs/lifecycle-cases.ts';

lifecycleCases('thread');
