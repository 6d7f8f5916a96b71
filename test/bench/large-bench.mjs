/**
 * Memory of a run over a text trace of 5 GB through gzip, read from a pipe so that nothing is on disk. `SPBSIM_BENCH_GB`
 * makes it smaller. The trace is the bundled recording over and over, its clock going on.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGzip, gunzipSync } from 'node:zlib';

const BYTES = Number(process.env.SPBSIM_BENCH_GB ?? 5) * 1e9;
const LIMIT_MB = 500;
const SPBSIM = fileURLToPath(new URL('../../bin/spbsim.js', import.meta.url));
const TRACE = new URL('../../workloads/fs-churn/trace.gz', import.meta.url);
const TIME = /^(.{31}\S+ +)(\d+)\.(\d{6}): /;

/** The recording's lines without its header, each cut around its seconds. */
function template() {
  const lines = gunzipSync(readFileSync(TRACE))
    .toString('latin1')
    .split('\n')
    .filter((line) => TIME.test(line));
  return lines.map((line) => {
    const match = TIME.exec(line);
    return {
      before: match[1],
      seconds: Number(match[2]),
      rest: line.slice(match[1].length + match[2].length),
    };
  });
}

async function* text() {
  const lines = template();
  const span = lines.at(-1).seconds - lines[0].seconds + 1;
  yield Buffer.from('# tracer: nop\n#\n');
  let sent = 0;
  for (let round = 0; sent < BYTES; round++) {
    const bytes = Buffer.from(
      lines
        .map(({ before, seconds, rest }) => before + (seconds + round * span) + rest)
        .join('\n')
        .concat('\n'),
    );
    sent += bytes.length;
    yield bytes;
  }
}

export async function largeBench() {
  const child = spawn(process.execPath, [SPBSIM, 'run', '-', '--json'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gzip = createGzip({ level: 1 });
  gzip.pipe(child.stdin);
  let json = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    json += piece;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  for await (const chunk of text()) {
    if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip.end();
  const code = await ended;
  if (code !== 0) throw new Error(`spbsim run ended with ${code}`);
  const { performance, span } = JSON.parse(json);
  const peak = performance.peak_rss_bytes / 1e6;
  return [
    {
      name: 'large text',
      bytes: BYTES,
      events: span.events,
      peak_rss_bytes: performance.peak_rss_bytes,
      text: `${(BYTES / 1e9).toFixed(1)} GB of tracefs text through gzip: ${(span.events / 1e6).toFixed(1)} M events, peak ${peak.toFixed(0)} MB (limit ${LIMIT_MB} MB)`,
    },
  ];
}
