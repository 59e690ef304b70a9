// How an event is named to a reader: by the host's id for it and, where the sender gave one of its own, by that as
// well.

/** Empty where no event is meant; `before` stands in front of anything else. */
export function idsText(eventId: string | undefined, correlationId: string | undefined, before = ''): string {
  const id = eventId ?? correlationId;
  if (id === undefined) return '';
  return `${before}${id}${correlationId === undefined || correlationId === id ? '' : ` (correlation id ${correlationId})`}`;
}
