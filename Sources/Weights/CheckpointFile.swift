// A file of a checkpoint, as it was when its header was read.

/// One file that holds tensors, of whatever format.
public struct CheckpointFile: Hashable, Sendable {
    public let path: String
    /// As the model calls it; ``path`` may end in another.
    public let name: String
    public let byteCount: UInt64
    /// What of it is on this machine; `nil`: everything.
    public let present: RangeSet<UInt64>?

    init(_ file: ReadOnlyFile, name: String? = nil, present: RangeSet<UInt64>? = nil) {
        path = file.path
        self.name = name ?? file.name
        byteCount = file.byteCount
        self.present = present
    }
}
