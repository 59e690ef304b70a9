// What the control surface did not do for its callers, counted so that the operator sees it in daemon.status.

export class ConnectionCounters {
  connectionsRefused = 0;
  connectionsCutOff = 0;
  notificationsFailed = 0;
}
