// How bytes of tensors come from storage into memory.

/// A stretch of a file that is to be read to one place in memory.
public struct ReadPiece {
    /// Full name, for errors.
    public let tensorName: String
    /// Index into ``Checkpoint/files``.
    public let fileIndex: Int
    /// Of the first byte, from the start of the file.
    public let fileOffset: UInt64
    public let byteCount: Int
    /// Room for ``byteCount`` bytes.
    public let destination: UnsafeMutableRawPointer

    public init(
        tensorName: String, fileIndex: Int, fileOffset: UInt64, byteCount: Int, destination: UnsafeMutableRawPointer
    ) {
        self.tensorName = tensorName
        self.fileIndex = fileIndex
        self.fileOffset = fileOffset
        self.byteCount = byteCount
        self.destination = destination
    }
}

/// Reads pieces of a checkpoint's files. Used from any thread, by several at once.
public protocol TensorReader: Sendable {
    /// Fills every piece's destination.
    /// - Parameter pieces: sorted by file and offset, not overlapping.
    /// - Returns: bytes taken from storage.
    /// - Throws: when a file is missing, shorter than it was when the checkpoint was opened, or unreadable.
    func read(_ pieces: [ReadPiece]) throws(CheckpointError) -> UInt64
}
