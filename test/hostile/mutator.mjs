/**
 * Damages bytes the way accidents and adversaries do: flipped bits, lost and doubled pieces, two files spliced together,
 * numbers blown up, words that mean something to a terminal, a spreadsheet or a JavaScript object.
 *
 * All randomness comes from one seed, so that the number of a case is all that it takes to make its input again.
 */

const LONGEST = 1 << 15;

/** A generator of whole numbers (xorshift of 32 bits, seeded through a hash, so that neighbouring seeds differ). */
export class Random {
  #state;

  constructor(seed, stream = 0) {
    let hash = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(stream + 1, 0xc2b2_ae35);
    hash = Math.imul(hash ^ (hash >>> 15), 0x27d4_eb2f);
    hash = Math.imul(hash ^ (hash >>> 13), 0x1656_67b1);
    this.#state = (hash ^ (hash >>> 16)) | 0 || 1;
  }

  next() {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }

  /** 0 to `limit` - 1 */
  below(limit) {
    return limit <= 1 ? 0 : this.next() % limit;
  }

  oneOf(list) {
    return list[this.below(list.length)];
  }
}

const NUMBERS = [
  '99999999999999999999',
  '18446744073709551615',
  '9007199254740993',
  '4294967295',
  '4294967296',
  '2147483648',
  '65536',
  '-1',
  '0',
  '1e309',
  'NaN',
  '0xFFFFFFFF',
  '0x',
  '1.5',
  '',
].map((text) => Buffer.from(text));

const WORDS = [
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\u001b[31m',
  '\u001b]0;title\u0007',
  '"',
  '""',
  '"\n',
  "'",
  '=1+1',
  '@SUM(A1)',
  ',',
  ',,,,,,,,,,,,,,,,,,,,',
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\t',
  ' ',
  '#',
  '\ufeff',
  '\u202e',
  '\u2028',
  '|',
  '[000]',
  '(null)',
  'CPU:0 [LOST 7 EVENTS]\n',
  '##### CPU 65535 buffer started ####\n',
  '{"t":"state"}\n',
  '&a [*a]',
  '!!js/function ',
  '../../../../etc/passwd',
  'nan',
  'Infinity',
]
  .map((text) => Buffer.from(text))
  .concat(
    [[0xff], [0xfe, 0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]].map((bytes) =>
      Buffer.from(bytes),
    ),
  );

function spliced(bytes, from, to, middle) {
  return Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
}

/** A run of digits at or behind a place; undefined if there is none near. */
function digitsNear(bytes, place) {
  const isDigit = (at) => bytes[at] >= 0x30 && bytes[at] <= 0x39;
  const end = Math.min(bytes.length, place + 200);
  let from = place;
  while (from < end && !isDigit(from)) from++;
  if (from >= end) return undefined;
  let to = from;
  while (to < bytes.length && isDigit(to)) to++;
  return [from, to];
}

/** Start and end of the line that holds a place, its end included. */
function lineAt(bytes, place) {
  const from = bytes.lastIndexOf(10, place - 1) + 1;
  const end = bytes.indexOf(10, place);
  return [from, end < 0 ? bytes.length : end + 1];
}

/** Each takes (bytes, random, other sample) and gives the damaged bytes. */
const DAMAGES = [
  function flipBit(bytes, random) {
    const copy = Buffer.from(bytes);
    copy[random.below(copy.length)] ^= 1 << random.below(8);
    return copy;
  },
  function setByte(bytes, random) {
    const copy = Buffer.from(bytes);
    copy[random.below(copy.length)] = random.oneOf([
      0,
      0xff,
      0x7f,
      0x80,
      0x0a,
      0x0d,
      0x22,
      0x2c,
      random.below(256),
    ]);
    return copy;
  },
  function setWord(bytes, random) {
    if (bytes.length < 4) return bytes;
    const copy = Buffer.from(bytes);
    const at = random.below(copy.length - 3) & ~(random.below(2) * 3);
    const values = [0, 1, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000, copy.length, 1 << random.below(31)];
    copy.writeUInt32LE(random.oneOf(values) >>> 0, at);
    return copy;
  },
  function insertBytes(bytes, random) {
    const at = random.below(bytes.length + 1);
    const piece = Buffer.alloc(1 + random.below(8));
    for (let i = 0; i < piece.length; i++) piece[i] = random.next();
    return spliced(bytes, at, at, piece);
  },
  function removeBytes(bytes, random) {
    const at = random.below(bytes.length);
    return spliced(bytes, at, Math.min(bytes.length, at + 1 + random.below(16)), Buffer.alloc(0));
  },
  function doubleSlice(bytes, random) {
    const from = random.below(bytes.length);
    const to = Math.min(bytes.length, from + 1 + random.below(512));
    const slice = bytes.subarray(from, to);
    return spliced(bytes, to, to, Buffer.concat(Array(1 + random.below(4)).fill(slice)));
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function dropHead(bytes, random) {
    return bytes.subarray(random.below(Math.min(bytes.length, 64) + 1));
  },
  function splice(bytes, random, other) {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
  },
  function blowUpNumber(bytes, random) {
    const found = digitsNear(bytes, random.below(bytes.length));
    return found === undefined ? bytes : spliced(bytes, found[0], found[1], random.oneOf(NUMBERS));
  },
  function insertWord(bytes, random) {
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, at, random.oneOf(WORDS));
  },
  function replaceWord(bytes, random) {
    const isWord = (byte) => byte > 0x20 && byte !== 0x2c && byte !== 0x3d && byte !== 0x3a && byte !== 0x22;
    let from = random.below(bytes.length);
    let to = from;
    while (from > 0 && isWord(bytes[from - 1])) from--;
    while (to < bytes.length && isWord(bytes[to])) to++;
    return spliced(bytes, from, to, random.oneOf(random.below(2) === 0 ? WORDS : NUMBERS));
  },
  function longRun(bytes, random) {
    const at = random.below(bytes.length + 1);
    return spliced(
      bytes,
      at,
      at,
      Buffer.alloc(1 << (4 + random.below(10)), random.oneOf(['a', '9', ' ', '"', '\0', '['])),
    );
  },
  function doubleLine(bytes, random) {
    const [from, to] = lineAt(bytes, random.below(bytes.length));
    return spliced(bytes, to, to, bytes.subarray(from, to));
  },
  function dropLine(bytes, random) {
    const [from, to] = lineAt(bytes, random.below(bytes.length));
    return spliced(bytes, from, to, Buffer.alloc(0));
  },
  function moveLine(bytes, random) {
    const [from, to] = lineAt(bytes, random.below(bytes.length));
    const line = Buffer.from(bytes.subarray(from, to));
    const rest = spliced(bytes, from, to, Buffer.alloc(0));
    const [at] = lineAt(rest, random.below(rest.length + 1));
    return spliced(rest, at, at, line);
  },
];

/** One to six damages, mostly few: much damage is found at the first byte, little gets far. */
export function mutate(sample, other, random) {
  let bytes = sample;
  const times = 1 + Math.min(random.below(6), random.below(6));
  for (let i = 0; i < times; i++) {
    if (bytes.length === 0) bytes = Buffer.from('\n');
    bytes = random.oneOf(DAMAGES)(bytes, random, other);
  }
  return Buffer.from(bytes.subarray(0, LONGEST));
}
