import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProgressLine } from '../../src/cli/progress.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function fakeStream(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) > 0 };
  return { written, stream: stream as unknown as NodeJS.WriteStream };
}

test('a terminal sees a line now and then, and none after the end', () => {
  const { written, stream } = fakeStream(true);
  const progress = new ProgressLine(stream);
  progress.update({ events: 1, ts_ns: 1 });
  expect(written).toEqual([]);
  vi.advanceTimersByTime(1000);
  progress.update({ events: 5_000_000, ts_ns: 2_500_000_000 });
  progress.update({ events: 5_000_001, ts_ns: 2_500_000_001 });
  expect(written).toEqual(['\r\u001b[2K5,000,000 events   trace time 2.50 s   5.0 M/s']);
  progress.clear();
  progress.clear();
  expect(written.slice(1)).toEqual(['\r\u001b[2K']);
});

test('a file or pipe sees nothing', () => {
  const { written, stream } = fakeStream(false);
  const progress = new ProgressLine(stream);
  vi.advanceTimersByTime(10_000);
  progress.update({ events: 1, ts_ns: 1 });
  progress.clear();
  expect(written).toEqual([]);
});
