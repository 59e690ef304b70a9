// Members of a cluster and their services as rows for a person.
import type { ClusterStatus } from '../../../protocol/operations/cluster.ts';
import { printTable } from './table.ts';
import { type Terminal, styled } from './terminal.ts';

const colours = { active: 'green', draining: 'yellow', lost: 'red' } as const;

export function memberTable(terminal: Terminal, { member: own, members }: ClusterStatus): void {
  printTable(
    terminal,
    ['MEMBER', 'VERSION', 'STATE', 'SERVICES'],
    members.map(({ member, version, state, services }) => [
      member === own ? `${member} (this daemon)` : member,
      version,
      styled(colours[state], state),
      String(services.length),
    ]),
  );
}

export function serviceTable(terminal: Terminal, { members }: ClusterStatus): void {
  const rows = members.flatMap(({ member, services }) =>
    services.map(({ plugin, placement, lifecycle, fence, partitions }) => [
      plugin,
      placement,
      member,
      lifecycle,
      fence === null ? '-' : String(fence),
      partitions === undefined ? '-' : partitions.map(({ partition }) => partition).join(' '),
    ]),
  );
  if (rows.length > 0) printTable(terminal, ['PLUGIN', 'PLACEMENT', 'MEMBER', 'STATE', 'FENCE', 'PARTITIONS'], rows);
}
