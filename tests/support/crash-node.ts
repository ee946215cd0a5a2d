import { fsyncSync, openSync, writeSync } from 'node:fs';

import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import './crash-lifeline.ts';

/**
 * A node that dies by SIGKILL when it passes CRASH_AT for the CRASH_PASS-th time, and says so in
 * the file CRASH_RECORD before. Otherwise it is what src/main.ts starts.
 */
const { CRASH_AT: at = '', CRASH_PASS: pass = '1', CRASH_RECORD: record = '' } = process.env;
let passes = 0;

const config = readConfig(process.env);
await startApp({
  config,
  logger: createLogger(config.log.level),
  observe(checkpoint) {
    if (checkpoint !== at) return;
    passes += 1;
    if (passes !== Number(pass)) return;
    const file = openSync(record, 'a');
    writeSync(file, `${checkpoint} ${pass}\n`);
    fsyncSync(file);
    process.kill(process.pid, 'SIGKILL');
  },
});
