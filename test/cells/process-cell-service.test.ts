// A service in a process of its own keeps every promise of one in a thread.
import { serviceCases } from '../labs/service-cases.ts';

serviceCases('process');
