/**
 * The reference zstd library, compiled to WebAssembly: contexts that pack and unpack pieces.
 *
 * Only the one file that needs it knows the package: its public class has a single context for all, which two inputs
 * read by turns would spoil, so the contexts are made from the compiled class below it. The library tells of no error
 * while unpacking except by giving nothing; ZstdDecoder makes sure of what "nothing" means.
 */

/** What of the package is used. */
interface NativeContext {
  reset(): void;
  setCompressionLevel(level: number): void;
  compressChunk(target: number, room: number, source: number, length: number): number;
  compressEnd(target: number, room: number): number;
  decompressChunk(target: number, room: number, source: number, length: number): number;
  delete(): void;
}

interface NativeClass {
  new (): NativeContext;
  malloc(bytes: number): number;
  free(address: number): void;
  isError(code: number): number;
  getErrorName(code: number): string;
  compressBound(bytes: number): number;
}

interface NativeModule {
  readonly zstd: NativeClass;
  /** replaced when the memory grows: to be read anew after each call */
  readonly HEAPU8: Uint8Array;
}

/** Largest block of any frame, packed or not. */
export const ZSTD_BLOCK_BYTES = 1 << 17;
/** Largest piece to unpack at once: a block with its header. */
const MAX_PIECE_BYTES = ZSTD_BLOCK_BYTES + 3;
/** Most that the packer holds back, with room to spare. */
const PACKED_REST_BYTES = 1 << 18;

/** A whole frame that holds one byte, as it stands. */
const PROBE_FRAME = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0x00, 0x00, 0x41);
const PROBE_BYTES = 1;

let loading: Promise<NativeModule> | undefined;

async function loadNative(): Promise<NativeModule> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const loaded = (await Zstd.load()) as unknown as { _mainModule?: { _module?: Partial<NativeModule> } };
  const native = loaded._mainModule?._module;
  if (native?.zstd === undefined || native.HEAPU8 === undefined) {
    throw new Error('this version of @hpcc-js/wasm-zstd is built differently from 1.12.5');
  }
  return native as NativeModule;
}

function nativeModule(): Promise<NativeModule> {
  loading ??= loadNative();
  return loading;
}

/** Unpacks frames piece by piece: a frame's header, its blocks, its checksum. */
export class ZstdDecoder {
  readonly #native: NativeModule;
  readonly #context: NativeContext;
  readonly #source: number;
  readonly #target: number;

  private constructor(native: NativeModule) {
    this.#native = native;
    this.#context = new native.zstd();
    this.#context.reset();
    this.#source = native.zstd.malloc(MAX_PIECE_BYTES);
    this.#target = native.zstd.malloc(ZSTD_BLOCK_BYTES);
  }

  static async create(): Promise<ZstdDecoder> {
    return new ZstdDecoder(await nativeModule());
  }

  /**
   * What `piece` unpacks to; nothing if it is damaged. Valid until the next call of any decoder.
   *
   * @param piece  no more than one block
   */
  decode(piece: Uint8Array): Uint8Array {
    this.#native.HEAPU8.set(piece, this.#source);
    const length = this.#context.decompressChunk(this.#target, ZSTD_BLOCK_BYTES, this.#source, piece.length);
    return this.#native.HEAPU8.subarray(this.#target, this.#target + length);
  }

  /** True if the frame ended as it should, its checksum included: only then a next frame is understood. */
  endsWell(): boolean {
    return this.decode(PROBE_FRAME).length === PROBE_BYTES;
  }

  release(): void {
    this.#context.delete();
    this.#native.zstd.free(this.#source);
    this.#native.zstd.free(this.#target);
  }
}

/** Packs pieces into one frame. */
export class ZstdEncoder {
  readonly #native: NativeModule;
  readonly #context: NativeContext;

  private constructor(native: NativeModule, level: number) {
    this.#native = native;
    this.#context = new native.zstd();
    this.#context.reset();
    this.#context.setCompressionLevel(level);
  }

  static async create(level: number): Promise<ZstdEncoder> {
    return new ZstdEncoder(await nativeModule(), level);
  }

  /** Packs `piece`; part of it may come out with the next one. The result is a copy. */
  encode(piece: Uint8Array): Uint8Array {
    const { zstd } = this.#native;
    const source = zstd.malloc(piece.length);
    try {
      this.#native.HEAPU8.set(piece, source);
      return this.#output(zstd.compressBound(piece.length) + PACKED_REST_BYTES, (target, room) =>
        this.#context.compressChunk(target, room, source, piece.length),
      );
    } finally {
      zstd.free(source);
    }
  }

  /** Ends the frame. */
  end(): Uint8Array {
    return this.#output(PACKED_REST_BYTES, (target, room) => this.#context.compressEnd(target, room));
  }

  release(): void {
    this.#context.delete();
  }

  #output(room: number, pack: (target: number, room: number) => number): Uint8Array {
    const { zstd } = this.#native;
    const target = zstd.malloc(room);
    try {
      const length = pack(target, room);
      if (zstd.isError(length) !== 0) throw new Error(`zstd: ${zstd.getErrorName(length)}`);
      return this.#native.HEAPU8.slice(target, target + length);
    } finally {
      zstd.free(target);
    }
  }
}
