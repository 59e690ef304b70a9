// A native addon that crashes the process that loads it: what a broken C++ dependency does, without needing a compiler.
// It is the smallest shared object the Linux loader takes, and its initialiser writes to address zero.

/** `xor eax,eax; mov [rax],eax` and `mov x0,xzr; str wzr,[x0]`: a segmentation fault in either language. */
const machines: Readonly<
  Partial<Record<NodeJS.Architecture, { readonly id: number; readonly code: readonly number[] }>>
> = {
  x64: { id: 62, code: [0x31, 0xc0, 0x89, 0x00] },
  arm64: { id: 183, code: [0xe0, 0x03, 0x1f, 0xaa, 0x1f, 0x00, 0x00, 0xb9] },
};

const headerBytes = 64;
const segmentBytes = 56;
const dynamicAt = headerBytes + 3 * segmentBytes;
const tags = { null: 0, stringTable: 5, symbolTable: 6, stringTableBytes: 10, symbolBytes: 11, init: 12 } as const;
const dynamicBytes = 6 * 16;
const codeAt = dynamicAt + dynamicBytes;
const tablesAt = codeAt + 16;
const fileBytes = tablesAt + 32;

/** Undefined where no such file can be made: on another system or another kind of machine. */
export function crashingAddon(
  platform: NodeJS.Platform = process.platform,
  architecture: NodeJS.Architecture = process.arch,
): Buffer | undefined {
  const machine = machines[architecture];
  if (platform !== 'linux' || machine === undefined) return undefined;
  const file = Buffer.alloc(fileBytes);
  writeHeader(file, machine.id);
  // All of it, readable, writable and executable; its dynamic section; and a stack that is not executable.
  writeSegment(file, 0, { type: 1, flags: 7, at: 0, bytes: fileBytes });
  writeSegment(file, 1, { type: 2, flags: 6, at: dynamicAt, bytes: dynamicBytes });
  writeSegment(file, 2, { type: 0x6474e551, flags: 6, at: 0, bytes: 0 });
  const entries: readonly (readonly [tag: number, value: number])[] = [
    [tags.init, codeAt],
    [tags.stringTable, tablesAt],
    [tags.stringTableBytes, 1],
    [tags.symbolTable, tablesAt],
    [tags.symbolBytes, 24],
    [tags.null, 0],
  ];
  entries.forEach(([tag, value], index) => {
    file.writeBigUInt64LE(BigInt(tag), dynamicAt + index * 16);
    file.writeBigUInt64LE(BigInt(value), dynamicAt + index * 16 + 8);
  });
  file.set(machine.code, codeAt);
  return file;
}

function writeHeader(file: Buffer, machine: number): void {
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(headerBytes), 32);
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(3, 56);
}

function writeSegment(
  file: Buffer,
  index: number,
  { type, flags, at, bytes }: { type: number; flags: number; at: number; bytes: number },
): void {
  const start = headerBytes + index * segmentBytes;
  file.writeUInt32LE(type, start);
  file.writeUInt32LE(flags, start + 4);
  for (const field of [8, 16, 24]) file.writeBigUInt64LE(BigInt(at), start + field);
  for (const field of [32, 40]) file.writeBigUInt64LE(BigInt(bytes), start + field);
  file.writeBigUInt64LE(65536n, start + 48);
}
