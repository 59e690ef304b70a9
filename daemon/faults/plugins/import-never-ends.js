// Cannot be imported: it waits at its top level for what never comes.
await new Promise(() => {});
