// A service in a real thread.
import { serviceCases } from '../labs/service-cases.ts';

serviceCases('thread');
