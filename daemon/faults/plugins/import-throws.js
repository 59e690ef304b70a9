// Cannot be imported: it throws.
throw new Error('thrown while it was imported');
