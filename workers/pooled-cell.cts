// The task file of piscina, which requires it. Node 20 and 22 abort the process when a thread is ended in the middle of
// requiring an ES module, so that this file is CommonJS and imports the cell. Piscina waits for a promise.
exports.runTool = import('./tool-cell.js').then(({ runTool }) => runTool);
