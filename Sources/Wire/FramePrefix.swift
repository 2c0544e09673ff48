// The length before each frame.

/// Reads and writes the 4-byte big-endian length that precedes a frame's message.
public enum FramePrefix {
    /// Reads a length, checking it before anything is allocated for it.
    /// - Parameters:
    ///   - bytes: at least ``WireLimits/lengthPrefixBytes`` bytes.
    ///   - limit: ``WireLimits/helloBytesMax`` for the first frame of a connection, else ``WireLimits/frameBytesMax``.
    ///   - isFirst: whether these are the first bytes of a connection, which may belong to another protocol.
    /// - Returns: the bytes of the message that follows, at least 1.
    public static func messageBytes(
        _ bytes: UnsafeRawBufferPointer, limit: Int = WireLimits.frameBytesMax, isFirst: Bool = false
    ) throws(WireError) -> Int {
        if isFirst, let foreign = ForeignProtocol(firstBytes: bytes.prefix(ForeignProtocol.bytesNeeded)) {
            throw .foreign(foreign)
        }
        guard bytes.count >= WireLimits.lengthPrefixBytes else { throw .unreadable(frameBytes: bytes.count) }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        guard length > 0 else { throw .emptyFrame }
        guard length <= limit else { throw .frameTooLong(found: length, limit: limit) }
        return length
    }

    /// Writes the length of a message of `messageBytes` bytes to the first bytes of `target`.
    static func write(messageBytes: Int, to target: UnsafeMutableRawBufferPointer) {
        target.storeBytes(of: UInt32(truncatingIfNeeded: messageBytes).bigEndian, as: UInt32.self)
    }
}
