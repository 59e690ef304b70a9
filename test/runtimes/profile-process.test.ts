// What holds for a worker's program in any cell, held by a process.
import { profileCases } from '../labs/profile-cases.ts';

profileCases('process');
