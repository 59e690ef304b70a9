// Where the files of the system service lie, what is in them, and by which commands its manager takes them up.
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { launcherFile } from '../install.ts';
import { type ServicePlan, launchdLabel, launchdPlist, serviceName, systemdService, systemdSocket } from './units.ts';

export interface ServiceOptions {
  readonly user?: boolean;
  readonly system?: boolean;
  readonly runAs?: string;
  readonly config?: string;
  readonly plugins?: readonly string[];
  readonly state?: string;
  readonly lastGood?: boolean;
}

export interface ServiceFile {
  readonly path: string;
  readonly text: string;
}

export interface SystemService {
  readonly manager: 'systemd' | 'launchd';
  readonly scope: 'user' | 'system';
  readonly files: readonly ServiceFile[];
  readonly install: readonly (readonly string[])[];
  readonly uninstall: readonly (readonly string[])[];
  readonly status: readonly string[];
  logs(lines: number, follow: boolean): readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Passed on because the manager knows nothing of the shell in which the service is installed. */
const kept = ['PATH', 'NODE_OPTIONS', 'NAGAYA_CONFIG'] as const;

function planOf(
  options: ServiceOptions,
  socket: string | undefined,
  env: Environment,
  platform: NodeJS.Platform,
): ServicePlan {
  const isSystem = options.system === true;
  const user = options.runAs ?? env['SUDO_USER'] ?? userInfo().username;
  const ownSocket = isSystem ? `/run/${serviceName}/${serviceName}.sock` : `%t/${serviceName}/${serviceName}.sock`;
  const listen = socket ?? ownSocket;
  const isSystemd = platform !== 'darwin';
  const state = options.state ?? (isSystem && isSystemd ? `/var/lib/${serviceName}` : undefined);
  return {
    scope: isSystem ? 'system' : 'user',
    user,
    command: [process.execPath, launcherFile],
    options: [
      ...(socket !== undefined || isSystem ? ['--socket', listen] : []),
      ...(options.config === undefined ? [] : ['--config', options.config]),
      ...(state === undefined ? [] : ['--state', state]),
      ...(options.lastGood === true ? ['--last-good'] : []),
      ...(options.plugins === undefined || options.plugins.length === 0 ? [] : ['--plugins', ...options.plugins]),
    ],
    environment: Object.fromEntries(kept.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
    socket: listen,
  };
}

export function systemService(
  options: ServiceOptions,
  {
    socket,
    env = process.env,
    platform = process.platform,
  }: { socket?: string | undefined; env?: Environment; platform?: NodeJS.Platform },
): SystemService {
  const plan = planOf(options, socket, env, platform);
  const home = env['HOME'] || homedir();
  return platform === 'darwin' ? launchd(plan, home) : systemd(plan, home, env);
}

function systemd(plan: ServicePlan, home: string, env: Environment): SystemService {
  const isSystem = plan.scope === 'system';
  const folder = isSystem
    ? '/etc/systemd/system'
    : join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'systemd/user');
  const control = ['systemctl', ...(isSystem ? [] : ['--user'])];
  const units = [`${serviceName}.socket`, `${serviceName}.service`];
  return {
    manager: 'systemd',
    scope: plan.scope,
    files: [
      { path: join(folder, `${serviceName}.service`), text: systemdService(plan) },
      { path: join(folder, `${serviceName}.socket`), text: systemdSocket(plan) },
    ],
    install: [
      [...control, 'daemon-reload'],
      [...control, 'enable', '--now', ...units],
    ],
    uninstall: [
      [...control, 'disable', '--now', ...units],
      [...control, 'daemon-reload'],
    ],
    status: [...control, 'status', '--no-pager', ...units],
    logs: (lines, follow) => [
      'journalctl',
      ...(isSystem ? [] : ['--user']),
      '--unit',
      serviceName,
      '--lines',
      String(lines),
      '--no-pager',
      ...(follow ? ['--follow'] : []),
    ],
  };
}

function launchd(plan: ServicePlan, home: string): SystemService {
  const isSystem = plan.scope === 'system';
  const path = join(isSystem ? '/Library/LaunchDaemons' : join(home, 'Library/LaunchAgents'), `${launchdLabel}.plist`);
  const log = isSystem ? `/var/log/${serviceName}.log` : join(home, 'Library/Logs', `${serviceName}.log`);
  const domain = isSystem ? 'system' : `gui/${String(process.getuid?.() ?? 0)}`;
  // launchd makes no socket of ours, and knows no %t.
  const own = plan.socket.startsWith('%t') ? { ...plan, socket: dirname(path) } : plan;
  return {
    manager: 'launchd',
    scope: plan.scope,
    files: [{ path, text: launchdPlist(own, log) }],
    install: [['launchctl', 'bootstrap', domain, path]],
    uninstall: [['launchctl', 'bootout', `${domain}/${launchdLabel}`]],
    status: ['launchctl', 'print', `${domain}/${launchdLabel}`],
    logs: (lines, follow) => ['tail', '-n', String(lines), ...(follow ? ['-F'] : []), log],
  };
}
