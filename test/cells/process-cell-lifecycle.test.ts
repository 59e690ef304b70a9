// Starting and stopping a service in a process of its own goes every way that it goes in a thread.
import { lifecycleCases } from '../labs/lifecycle-cases.ts';

lifecycleCases('process');
