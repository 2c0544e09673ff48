// How bytes of tensors come from storage into memory.

internal import Glibc

/// Tensors that follow each other in a file, and where in memory they go.
///
/// Unchecked: nobody else reads or writes the memory until it has been read.
public struct ReadRun: @unchecked Sendable {
    /// At least one, each beginning where the one before ends.
    public let tensors: [TensorEntry]
    /// Where the first byte goes, 64-byte aligned. The memory is laid out so that whole blocks of the file can be read
    /// into it: see ``blockAddress``.
    public let destination: UnsafeMutableRawPointer

    /// Reading directly from a disk needs offsets, addresses and lengths that are multiples of this: the sectors of
    /// disks have 512 or 4096 bytes.
    static let blockBytes = 4096
    /// Every tensor starts at a multiple of this in memory: a cache line, and the widest vector register.
    static let alignment = 64

    /// - Parameters:
    ///   - destination: the place of the first byte in memory that is the run's own in whole blocks, at
    ///     ``destinationOffset(ofFileOffset:)`` in the first of them.
    init(tensors: [TensorEntry], destination: UnsafeMutableRawPointer) {
        self.tensors = tensors
        self.destination = destination
    }

    /// Index into ``Checkpoint/files``.
    public var fileIndex: Int { tensors[0].fileIndex }
    /// Of the first byte, from the start of the file.
    public var fileOffset: UInt64 { tensors[0].byteOffset }
    public var byteCount: Int { Int(fileEnd - fileOffset) }

    var fileEnd: UInt64 {
        let last = tensors[tensors.count - 1]
        return last.byteOffset + UInt64(last.byteCount)
    }

    /// In a file, tensors begin anywhere. Bytes that come directly from the disk keep their place in the block, so they
    /// lie `shift` too far behind the next aligned place before them, and are moved there.
    var shift: Int { Int(fileOffset % UInt64(Self.alignment)) }

    /// Where the block of the file goes that holds the first byte.
    var blockAddress: UnsafeMutableRawPointer { destination - Self.destinationOffset(ofFileOffset: fileOffset) }

    /// Where in its block the destination of the byte at `offset` lies.
    static func destinationOffset(ofFileOffset offset: UInt64) -> Int {
        Int(offset % UInt64(blockBytes)) / alignment * alignment
    }

    /// The tensor that the byte at `offset` of the file belongs to, for errors.
    func tensorName(at offset: UInt64) -> String {
        (tensors.last { $0.byteOffset <= offset } ?? tensors[0]).name
    }
}

/// Reads tensors of a checkpoint's files. Used from any thread, by several at once.
public protocol TensorReader: Sendable {
    /// Fills every run's destination, and those of every conversion.
    ///
    /// Neither runs nor conversions overlap, in files or in memory.
    /// - Returns: bytes of tensors read.
    /// - Throws: when a file is missing, shorter than it was when the checkpoint was opened, or unreadable, or when
    ///   blocks cannot be converted.
    func read(_ runs: [ReadRun], _ conversions: [TensorConversion]) throws(CheckpointError) -> UInt64
}
