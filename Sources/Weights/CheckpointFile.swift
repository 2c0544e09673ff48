// A file of a checkpoint, as it was when its header was read.

/// One file that holds tensors, of whatever format.
public struct CheckpointFile: Hashable, Sendable {
    public let path: String
    /// Last component of ``path``.
    public let name: String
    public let byteCount: UInt64

    init(_ file: ReadOnlyFile) {
        path = file.path
        name = file.name
        byteCount = file.byteCount
    }
}
