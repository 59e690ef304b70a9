// Loaded first in every thread that a plugin starts from its cell: it is in the same process, so that it is kept from
// the same things. Its end is its own, and is told to the plugin.
import { shieldNested } from './nested-shield.ts';

shieldNested(new URL(import.meta.url).searchParams.get('guard') ?? '');
