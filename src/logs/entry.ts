/**
 * A piece of output as it is kept: in files, and in the block that lies with a small execution's record.
 *
 * ```
 * 0  u32  CRC-32 of what follows          8  u48  order among all entries of the log
 * 4  u8   1 for stdout, 2 for stderr     14  u48  bytes of the stream before it
 * 5  u24  bytes of the output, n         20  u48  time, ms since 1970
 *                                        26  n bytes of output, as they came
 * ```
 * All numbers are big-endian. Entries follow each other, so a file that was cut anywhere is read up to its last whole
 * one. Whatever was left out, for whatever reason, shows as a gap in the positions.
 */
import { crc32 } from 'node:zlib';
import { streams, type Stream } from '../model/output-text.ts';

export interface LogEntry {
  readonly stream: Stream;
  readonly order: number;
  /** Bytes of the stream before this entry. */
  readonly position: number;
  /** When it was read, ms since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}

export const headerBytes = 26;
/** Longer output is several entries, so that a reader never needs more memory than this. */
export const maxEntryBytes = 2 ** 20;

export function encode({ stream, order, position, time, bytes }: LogEntry): Buffer {
  const encoded = Buffer.allocUnsafe(headerBytes + bytes.length);
  encoded.writeUInt8(streams.indexOf(stream) + 1, 4);
  encoded.writeUIntBE(bytes.length, 5, 3);
  encoded.writeUIntBE(order, 8, 6);
  encoded.writeUIntBE(position, 14, 6);
  encoded.writeUIntBE(time, 20, 6);
  encoded.set(bytes, headerBytes);
  encoded.writeUInt32BE(crc32(encoded.subarray(4)), 0);
  return encoded;
}

/** @returns the entries up to the first that is not whole; they share the memory of `block` */
export function decode(block: Uint8Array): { entries: LogEntry[]; readBytes: number } {
  const data = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const entries: LogEntry[] = [];
  let at = 0;
  while (at + headerBytes <= data.length) {
    const stream = streams[data.readUInt8(at + 4) - 1];
    const end = at + headerBytes + data.readUIntBE(at + 5, 3);
    if (stream === undefined || end > data.length || crc32(data.subarray(at + 4, end)) !== data.readUInt32BE(at)) break;
    entries.push({
      stream,
      order: data.readUIntBE(at + 8, 6),
      position: data.readUIntBE(at + 14, 6),
      time: data.readUIntBE(at + 20, 6),
      bytes: data.subarray(at + headerBytes, end),
    });
    at = end;
  }
  return { entries, readBytes: at };
}
