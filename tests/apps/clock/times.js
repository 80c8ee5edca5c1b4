// Reads the time of day in Node's ways, and lets its timers run.
const { execFileSync } = require('child_process');
const { Worker } = require('worker_threads');

const AHEAD = 50;
const day = (what, ms) => console.log(what, new Date(ms).toISOString().slice(0, 10));

day('Date.now', Date.now());
day('new Date', new Date().getTime());
day('performance', performance.timeOrigin + performance.now());
const began = process.hrtime.bigint();
setTimeout(() => {
  const passed = Number(process.hrtime.bigint() - began) / 1e6;
  console.log('setTimeout', passed >= AHEAD - 1 ? 'waited' : `took ${passed} ms`);
  const worker = new Worker('require("worker_threads").parentPort.postMessage(Date.now())', { eval: true });
  worker.once('message', (ms) => {
    day('worker', ms);
    process.stdout.write(execFileSync(process.execPath, ['-p', '"program " + new Date().toISOString().slice(0, 10)']));
  });
}, AHEAD);
