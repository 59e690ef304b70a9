// How the partitions of a shared service are spread over members: which of them a member gives away.

/** `holders`: of each partition, the member that has it. Nobody gives anything while a partition is free. */
export function partitionsToGive(
  member: string,
  sharers: readonly string[],
  holders: readonly (string | null)[],
): readonly number[] {
  if (!sharers.includes(member) || holders.includes(null)) return [];
  const own = holders.flatMap((holder, number) => (holder === member ? [number] : []));
  const counts = new Map(sharers.map((name) => [name, holders.filter((holder) => holder === name).length]));
  const share = holders.length / sharers.length;
  const excess = own.length - Math.ceil(share);
  if (excess > 0) return own.slice(-excess);
  const most = Math.max(...counts.values());
  const first = [...counts].flatMap(([name, count]) => (count === most ? [name] : [])).sort()[0];
  const isShort = [...counts.values()].some((count) => count < Math.floor(share));
  return isShort && first === member && own.length > Math.floor(share) ? own.slice(-1) : [];
}
