// The forms of identifiers as bare expressions: cells and host-owned threads check them without a schema library.

export const pluginIdForm = /^(?![.])[a-z0-9._-]{1,128}(?<![.])$/;
export const nameForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
export const openIdForm = /^[A-Za-z0-9._:-]{1,128}$/;
/** Names of clusters and of their members: they stand in subjects, in keys and before a runtime's id. */
export const memberForm = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
