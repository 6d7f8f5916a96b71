/**
 * Unpacking against real packers: whatever they make comes back, a cut gives its beginning and says so, and damage is
 * never taken for data.
 */
import { describe, expect } from 'vitest';
import { openChunks } from '../../../src/trace/bytes/open-input.js';
import { InputError } from '../../../src/trace/input-error.js';
import { drain, inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';
import { inSizes, noise, PACKERS } from './packers.js';

async function unpack(bytes: Uint8Array, sizes: readonly number[] = [bytes.length || 1]) {
  const input = await openChunks(inSizes(bytes, sizes), 'x');
  return { compression: input.compression, ...(await drain(input.chunks)) };
}

const text = Buffer.from(
  Array.from({ length: 400 }, (_, i) => `${i * 7919} mm_page_alloc ${i % 11}\n`).join(''),
);

/** Bytes as traces have them, as well as none, one, long runs and noise. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.tuple(fc.nat(300_000), fc.nat()).map(([length, seed]) => noise(length, seed)),
  fc
    .tuple(fc.nat(2000), fc.nat(400_000))
    .map(([n, zeros]) => Buffer.concat([noise(n), Buffer.alloc(zeros), text])),
  fc
    .array(fc.constantFrom('kmalloc ', 'kfree ', '\n', 'page=0x1234 ', '7'))
    .map((words) => Buffer.from(words.join(''))),
);
const sizes = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 4 }),
);

describe.each(PACKERS)('$name', ({ compression, pack, isProgram }) => {
  test('gives back what was packed, however it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(content, sizes, async (bytes, sizes) => {
        const packed = await pack(bytes);
        // A few bytes at a time is slow for long inputs, and shows nothing new.
        const steps = packed.length > 20_000 ? sizes.map((size) => size * 500) : sizes;
        const all = await unpack(packed, steps);
        expect(all.error).toBeUndefined();
        expect(all.compression).toBe(compression);
        expect(all.bytes.equals(bytes)).toBe(true);
      }),
      // A process for each run.
      { numRuns: isProgram ? 6 : 40 },
    );
  });

  test('several behind each other, with padding behind them', async () => {
    const packed = Buffer.concat([
      await pack(text),
      await pack(Buffer.alloc(0)),
      await pack(noise(5000)),
      Buffer.alloc(1024),
    ]);
    for (const sizes of [[1], [7, 100], [4096], [packed.length]]) {
      const { bytes, error } = await unpack(packed, sizes);
      expect(error).toBeUndefined();
      expect(bytes.equals(Buffer.concat([text, noise(5000)]))).toBe(true);
    }
  });

  test('cut anywhere, it gives a beginning and says that it is cut', async () => {
    const packed = await pack(text);
    let longest = 0;
    for (let length = 1; length < packed.length; length += length < 40 ? 1 : 1 + (packed.length >> 7)) {
      // One byte of a zstd frame is a bracket.
      if (length === 1 && compression === 'zstd') continue;
      const { bytes, error } = await unpack(packed.subarray(0, length), [64]);
      expect(error, `cut to ${length}`).toBeInstanceOf(InputError);
      expect((error as InputError).message).toBe(
        `x  ends in the middle of its ${compression} data; copy or record it again`,
      );
      expect((error as InputError).isCut).toBe(true);
      expect(text.subarray(0, bytes.length).equals(bytes)).toBe(true);
      longest = Math.max(longest, bytes.length);
    }
    // Only the checksum lacks at the end.
    if (compression !== 'zstd') expect(longest).toBeGreaterThan(text.length * 0.9);
  });

  test('cut in the second part, it gives the whole first one', async () => {
    const first = await pack(text);
    const packed = Buffer.concat([first, await pack(noise(3000))]);
    for (const length of [first.length + 2, first.length + 9, packed.length - 1]) {
      const { bytes, error } = await unpack(packed.subarray(0, length), [50]);
      expect((error as InputError).isCut).toBe(true);
      expect(bytes.subarray(0, text.length).equals(text)).toBe(true);
    }
  });

  test('other data behind it is told', async () => {
    const packed = await pack(text);
    const message = `x  has other data behind its ${compression} data; cut it off`;
    for (const zeros of [0, 4, 10_000, 300_000]) {
      const behind = [Buffer.alloc(zeros), Buffer.from('something else')];
      const { bytes, error } = await unpack(Buffer.concat([packed, ...behind]), [packed.length, 1 << 20]);
      expect(bytes.equals(text)).toBe(true);
      expect(error).toMatchObject({ message, isCut: false });
      for (const size of [1000, packed.length + zeros + 5]) {
        const all = await unpack(Buffer.concat([packed, ...behind]), [size]);
        expect(all.error).toMatchObject({ message });
        expect(text.subarray(0, all.bytes.length).equals(all.bytes)).toBe(true);
      }
    }
  });
});

describe.each(PACKERS.filter(({ name }) => !/none|no-check|own|-1$/.test(name)))(
  '$name, damaged',
  ({ pack }) => {
    test('one wrong byte is an error, not other data', async () => {
      const packed = await pack(text);
      let told = 0;
      for (let at = 0; at < packed.length; at += 1 + (packed.length >> 7)) {
        const damaged = Buffer.from(packed);
        damaged[at] = (damaged[at] as number) ^ 0x55;
        const { bytes, error, compression } = await unpack(damaged, [300]);
        if (compression === 'none') continue;
        // Some bytes carry nothing: the time stamp in the header of gzip, for one.
        if (error === undefined) expect(bytes.equals(text)).toBe(true);
        else {
          expect(error).toBeInstanceOf(InputError);
          told++;
        }
      }
      expect(told).toBeGreaterThan(40);
    });
  },
);

test('what an unpacker says about damage is no cut', async () => {
  for (const { pack, compression } of PACKERS.filter(({ name }) =>
    /^(gzip|zstd -19|xz with crc64)$/.test(name),
  )) {
    const packed = await pack(noise(200_000));
    const damaged = Buffer.concat([await pack(text), packed]);
    damaged.fill(0x55, damaged.length - 90_000, damaged.length - 80_000);
    const { bytes, error } = await unpack(damaged, [1000]);
    expect((error as InputError).message).toContain(`holds damaged ${compression} data`);
    expect((error as InputError).isCut).toBe(false);
    expect(bytes.subarray(0, text.length).equals(text)).toBe(true);
  }
});

test('what was read before the source fails is delivered', async () => {
  for (const { pack } of PACKERS) {
    const packed = await pack(text);
    async function* failing() {
      yield packed.subarray(0, packed.length - 1);
      throw new Error('the disk is gone');
    }
    const { bytes, error } = await drain((await openChunks(failing(), 'x')).chunks);
    expect((error as Error).message).toBe('the disk is gone');
    expect(text.subarray(0, bytes.length).equals(bytes)).toBe(true);
  }
});

test('packed twice is unpacked once', async () => {
  for (const { pack } of PACKERS) {
    const inner = await pack(text);
    expect((await unpack(await pack(inner))).bytes.equals(inner)).toBe(true);
  }
});

test('inputs read by turns do not disturb each other', async () => {
  for (const { pack } of PACKERS) {
    const contents = [noise(700_000, 1), noise(900_000, 2), Buffer.concat([noise(400_000, 3), text])];
    const inputs = await Promise.all(contents.map(async (bytes) => inputOf(await pack(bytes), 'x', 10_000)));
    const iterators = inputs.map((input) => input.chunks[Symbol.asyncIterator]());
    const seen: Buffer[][] = contents.map(() => []);
    const open = new Set(iterators.keys());
    while (open.size > 0) {
      for (const i of [...open]) {
        const next = await (iterators[i] as AsyncIterator<Uint8Array>).next();
        if (next.done === true) open.delete(i);
        else (seen[i] as Buffer[]).push(Buffer.from(next.value));
      }
    }
    seen.forEach((chunks, i) => {
      expect(Buffer.concat(chunks).equals(contents[i] as Buffer)).toBe(true);
    });
  }
});

test('an input left early lets its source go', async () => {
  for (const { pack } of PACKERS) {
    const packed = await pack(noise(900_000));
    let released = false;
    async function* watched() {
      try {
        yield* inSizes(packed, [1000]);
      } finally {
        released = true;
      }
    }
    for await (const _ of (await openChunks(watched(), 'x')).chunks) break;
    for (let turn = 0; turn < 100 && !released; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(released).toBe(true);
  }
});
