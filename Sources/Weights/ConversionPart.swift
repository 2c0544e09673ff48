// A part of a tensor that is read with one request and then converted.

internal import Glibc
internal import Synchronization

/// Some of a tensor's blocks. They are read into memory of the reader's own, and converted from there while they are in
/// the processor's cache; neighbours read the file's block that they share twice.
struct ConversionPart: Sendable {
    let conversion: TensorConversion
    let file: WeightFile
    /// Of the tensor, not of the file.
    let tensorBlocks: Range<Int>

    /// Cuts a conversion into parts that take at most `bytesMax` bytes of a staging buffer.
    static func parts(of conversion: TensorConversion, from file: WeightFile, bytesMax: Int) -> [ConversionPart] {
        // The first and the last of the file's blocks may be another part's but for a byte.
        let most = max(1, (bytesMax - 2 * ReadRun.blockBytes) / conversion.tensor.elementType.byteCount)
        return stride(from: 0, to: conversion.blockCount, by: most).map { first in
            ConversionPart(
                conversion: conversion, file: file, tensorBlocks: first..<min(first + most, conversion.blockCount))
        }
    }

    /// This part, to be read into a staging buffer.
    func staged(in buffer: UnsafeMutableRawPointer) -> StagedPart {
        let (tensor, block) = (conversion.tensor, UInt64(ReadRun.blockBytes))
        let start = tensor.byteOffset + UInt64(tensorBlocks.lowerBound * tensor.elementType.byteCount)
        let end = start + UInt64(tensorBlocks.count * tensor.elementType.byteCount)
        return StagedPart(
            file: file, blocks: start / block * block..<(end + block - 1) / block * block, useful: start..<end,
            tensor: tensor.name, buffer: buffer)
    }
}

/// A part on its way through a staging buffer, which begins with the part's first block.
///
/// Unchecked: the buffer is one thread's as long as the part is.
struct StagedPart: FilePart, @unchecked Sendable {
    let file: WeightFile
    let blocks: Range<UInt64>
    let useful: Range<UInt64>
    let tensor: String
    let buffer: UnsafeMutableRawPointer

    func address(of offset: UInt64) -> UnsafeMutableRawPointer { buffer + Int(offset - blocks.lowerBound) }
    func tensorName(at offset: UInt64) -> String { tensor }
}

/// Memory that parts are read into before they are converted: a buffer for each that is under way, kept for the next.
final class StagingBuffers: Sendable {
    /// Unchecked: an address, whose memory belongs to whoever took it.
    private struct Buffer: @unchecked Sendable {
        let address: UnsafeMutableRawPointer
    }

    private let byteCount: Int
    private let spare = Mutex<[Buffer]>([])

    /// - Parameter byteCount: of each buffer.
    init(byteCount: Int) { self.byteCount = byteCount }

    deinit {
        spare.withLock { for buffer in $0 { free(buffer.address) } }
    }

    /// Calls `body` with a buffer that begins a block.
    /// - Returns: what `body` does, or that there is no memory.
    func withBuffer(_ body: (UnsafeMutableRawPointer) -> CheckpointError?) -> CheckpointError? {
        let kept = spare.withLock { $0.popLast() }
        var address = kept?.address
        if address == nil { posix_memalign(&address, ReadRun.blockBytes, byteCount) }
        guard let address else {
            return CheckpointError(.unreadable, "no memory for \(byteCount) bytes to read weights into")
        }
        defer { spare.withLock { $0.append(Buffer(address: address)) } }
        return body(address)
    }
}
