// The files by which systemd and launchd run the daemon. What a plugin may need stays allowed: hardening that denies
// files, devices, namespaces or memory that is written and run would break plugins in ways that are hard to see.
import { shellWord } from '../install.ts';

export interface ServicePlan {
  /** The user's own service manager, or the system's. */
  readonly scope: 'user' | 'system';
  /** Of the system's: as whom it runs. */
  readonly user: string;
  /** Node and the command's file. */
  readonly command: readonly string[];
  /** Of `nagaya serve`. */
  readonly options: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where clients connect, as the manager writes it. */
  readonly socket: string;
}

export const serviceName = 'nagaya';
export const launchdLabel = 'org.nagaya.daemon';

const watchdogSeconds = 30;
const stopSeconds = 60;

/** A word of ExecStart or of Environment: systemd has its own quoting, and expands % and $. */
function unitWord(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
  return /^[A-Za-z0-9_./:@+=,%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

const execWord = (word: string): string => unitWord(word).replaceAll('$', '$$$$');

/** Without namespaces of their own, which a user's manager cannot always make. */
const everywhere = [
  'NoNewPrivileges=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'RestrictRealtime=yes',
  'SystemCallArchitectures=native',
  'UMask=0077',
];
const ofSystem = [
  'ProtectSystem=full',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'PrivateTmp=yes',
];

export function systemdService(plan: ServicePlan): string {
  const isSystem = plan.scope === 'system';
  const lines = [
    '# Written by `nagaya service install`; it is replaced when that runs again. Put changes into a drop-in:',
    `# systemctl ${isSystem ? '' : '--user '}edit ${serviceName}`,
    '[Unit]',
    'Description=Nagaya, which hosts plugins in isolation',
    ...(isSystem ? ['After=network.target'] : []),
    '# What cannot start, such as a broken configuration, is not started for ever.',
    'StartLimitIntervalSec=300',
    'StartLimitBurst=10',
    `Wants=${serviceName}.socket`,
    `After=${serviceName}.socket`,
    '',
    '[Service]',
    'Type=notify',
    '# The messages are sent by systemd-notify, a child of the main process.',
    'NotifyAccess=all',
    `ExecStart=${[...plan.command, 'serve', ...plan.options].map(execWord).join(' ')}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    ...Object.entries(plan.environment).map(([name, value]) => `Environment=${unitWord(`${name}=${value}`)}`),
    `WatchdogSec=${String(watchdogSeconds)}`,
    'Restart=on-failure',
    'RestartSec=2',
    `TimeoutStopSec=${String(stopSeconds)}`,
    '# The guardian ends the daemon in order; what is left after that is killed.',
    'KillMode=mixed',
    'LimitNOFILE=65536',
    ...(isSystem ? [`User=${plan.user}`, `StateDirectory=${serviceName}`, `StateDirectoryMode=0700`] : []),
    ...everywhere,
    ...(isSystem ? ofSystem : []),
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
    '',
  ];
  return lines.join('\n');
}

export function systemdSocket(plan: ServicePlan): string {
  return [
    '# Written by `nagaya service install`: clients may connect before the daemon runs, and wait until it does.',
    '[Unit]',
    'Description=The control socket of Nagaya',
    '',
    '[Socket]',
    `ListenStream=${plan.socket}`,
    'SocketMode=0600',
    'DirectoryMode=0700',
    ...(plan.scope === 'system' ? [`SocketUser=${plan.user}`] : []),
    'RemoveOnStop=yes',
    '',
    '[Install]',
    'WantedBy=sockets.target',
    '',
  ].join('\n');
}

const xmlEscapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const xml = (text: string): string => text.replace(/[&<>"]/g, (special) => xmlEscapes[special] ?? '');

/** launchd has no watchdog and is told nothing; the guardian brings the daemon back there too. */
export function launchdPlist(plan: ServicePlan, logFile: string): string {
  const words = [...plan.command, 'serve', ...plan.options].map((word) => `    <string>${xml(word)}</string>`);
  const environment = Object.entries({ ...plan.environment, NAGAYA_SERVICE: 'launchd' }).map(
    ([name, value]) => `    <key>${xml(name)}</key><string>${xml(value)}</string>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<!-- Written by `nagaya service install`; it is replaced when that runs again. -->',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key><string>${launchdLabel}</string>`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...words,
    '  </array>',
    '  <key>EnvironmentVariables</key>',
    '  <dict>',
    ...environment,
    '  </dict>',
    ...(plan.scope === 'system' ? [`  <key>UserName</key><string>${xml(plan.user)}</string>`] : []),
    '  <key>RunAtLoad</key><true/>',
    '  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>',
    '  <key>Umask</key><integer>63</integer>',
    '  <key>SoftResourceLimits</key><dict><key>NumberOfFiles</key><integer>65536</integer></dict>',
    `  <key>StandardErrorPath</key><string>${xml(logFile)}</string>`,
    `  <key>StandardOutPath</key><string>${xml(logFile)}</string>`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}

/** A command line for a person to paste. */
export const commandText = (words: readonly string[]): string => words.map(shellWord).join(' ');
