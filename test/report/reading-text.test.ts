import { expect, test } from 'vitest';
import { renderReading } from '../../src/report/reading-text.js';
import { sampleInput } from './sample-result.js';

test('says of each input what it was taken for, what it holds and what was not understood', () => {
  const text = renderReading([
    sampleInput({
      path: 'cpu0.txt',
      format: 'tracefs',
      kernel: { generation: '6.1', release: '', how: 'guessed', reasons: ['prints __GFP_ATOMIC'] },
    }),
    sampleInput({
      path: 'evil\u001b[31m.txt',
      format: 'perf',
      cut: 'evil.txt  ends in the middle of its gzip data; copy or record it again',
      kinds: [
        { name: 'mm_page_alloc', events: 1200, used: true },
        { name: 'sched_switch', events: 3, used: false },
      ],
      not_understood: [{ kind: 'not a trace line', lines: 1, example_line: 1881, example: 'hello' }],
      lost: [
        { cpu: 3, events: 0, gaps: 2 },
        { cpu: 4, events: 12, gaps: 1 },
      ],
      remarks: ['perf script does not say the context of an event: task is taken for all'],
    }),
  ]);
  expect(text).toBe(`cpu0.txt   tracefs   gfp words of Linux 6.1 (guessed: prints __GFP_ATOMIC)
  mm_page_alloc 72,623

evil.txt   perf   gfp words of Linux 6.18 (recorded)
  evil.txt  ends in the middle of its gzip data; copy or record it again
  mm_page_alloc 1,200   sched_switch 3 (not replayed)
  CPU 3 lost events in 2 places
  CPU 4 lost 12 in 1 place
  1 line not understood: not a trace line
    line 1,881: hello
  perf script does not say the context of an event: task is taken for all
`);
});
