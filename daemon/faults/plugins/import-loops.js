// Cannot be imported: it loops at its top level.
for (;;);
