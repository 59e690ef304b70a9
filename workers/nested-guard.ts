// Loaded first in every thread that a plugin starts from its thread cell: it is in the daemon's process too, so that it
// is kept from the same things. Its end is its own, and is told to the plugin.
import { shieldDaemon } from './guard.ts';

shieldDaemon({ worker: true, addons: new URL(import.meta.url).search === '?addons' });
