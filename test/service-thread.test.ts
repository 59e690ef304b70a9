// A service in a real thread.
import { serviceCases } from './service-cases.ts';

serviceCases('thread');
