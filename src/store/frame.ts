/**
 * How a value lies on the disk: format version (1 byte), CRC-32 (4), revision (6, big endian), then the value.
 *
 * The checksum covers the key too, since LevelDB in its usual mode checks little of what it reads back: a changed byte can
 * turn one record into another's.
 */
import { crc32 } from 'node:zlib';
import type { Stored } from './key-value.ts';

const formatVersion = 1;
const headerBytes = 11;
/** Where what the checksum covers begins. */
const checkedFrom = 5;

export function frame(key: string, { value, revision }: Stored): Buffer {
  const framed = Buffer.allocUnsafe(headerBytes + value.length);
  framed[0] = formatVersion;
  framed.writeUIntBE(revision, checkedFrom, 6);
  framed.set(value, headerBytes);
  framed.writeUInt32BE(checksum(key, framed), 1);
  return framed;
}

/** @returns undefined when this is not what was framed for that key */
export function unframe(key: string, framed: Buffer): Stored | undefined {
  if (framed.length < headerBytes || framed[0] !== formatVersion) return undefined;
  if (framed.readUInt32BE(1) !== checksum(key, framed)) return undefined;
  return { value: framed.subarray(headerBytes), revision: framed.readUIntBE(checkedFrom, 6) };
}

function checksum(key: string, framed: Buffer): number {
  return crc32(framed.subarray(checkedFrom), crc32(key));
}
