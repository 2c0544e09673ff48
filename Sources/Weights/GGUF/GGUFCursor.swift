// Reads the parts of a GGUF header one after the other, checking each length before it is believed.

/// A cursor over the first part of a file, of which only what is needed is in memory.
struct GGUFCursor {
    /// Named in errors.
    let file: String
    let fileBytes: UInt64
    /// Of the next byte.
    private(set) var offset: UInt64 = 0

    /// `count` bytes from an offset, or fewer where the file ends.
    typealias Source = (_ offset: UInt64, _ count: Int) throws(CheckpointError) -> [UInt8]
    private let source: Source
    private var chunk: [UInt8] = []
    private var chunkStart: UInt64 = 0

    /// Bytes read at a time: a header with a vocabulary has some ten million.
    private static let chunkBytes = 1 << 20

    init(file: String, fileBytes: UInt64, from offset: UInt64 = 0, source: @escaping Source) {
        self.file = file
        self.fileBytes = fileBytes
        self.offset = offset
        self.source = source
    }

    var bytesLeft: UInt64 { fileBytes - min(offset, fileBytes) }

    /// A little-endian integer.
    /// - Parameter what: that it is, for errors.
    mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ what: @autoclosure () -> String)
        throws(CheckpointError)
        -> T
    {
        let size = MemoryLayout<T>.size
        try need(UInt64(size), what())
        let first = try available(size)
        let value = chunk.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: first, as: T.self)) }
        offset += UInt64(size)
        return value
    }

    /// A string's length and its bytes.
    mutating func string(bytesMax: Int, _ what: @autoclosure () -> String) throws(CheckpointError) -> [UInt8] {
        let count = try length(what())
        guard count <= UInt64(bytesMax) else {
            throw CheckpointError(
                .unsupported, file: file, "\(what()) has \(count) bytes, more than \(bytesMax)")
        }
        let first = try available(Int(count))
        defer { offset += count }
        return Array(chunk[first..<first + Int(count)])
    }

    /// Passes over a string.
    mutating func skipString(_ what: @autoclosure () -> String) throws(CheckpointError) {
        offset += try length(what())
    }

    /// Passes over `count` bytes.
    mutating func skip(_ count: UInt64, _ what: @autoclosure () -> String) throws(CheckpointError) {
        try need(count, what())
        offset += count
    }

    /// A string's length, which the rest of the file can hold.
    private mutating func length(_ what: @autoclosure () -> String) throws(CheckpointError) -> UInt64 {
        let count = try integer(UInt64.self, what())
        try need(count, what())
        return count
    }

    private func need(_ count: UInt64, _ what: @autoclosure () -> String) throws(CheckpointError) {
        guard count <= bytesLeft else {
            throw CheckpointError(
                .truncated, file: file,
                "ends within its header: \(what()) takes \(count) bytes at byte \(offset), and the file has "
                    + "\(fileBytes); copy or download it again")
        }
    }

    /// Makes sure that `count` bytes, which the file has, are in the chunk.
    /// - Returns: where in the chunk they begin.
    private mutating func available(_ count: Int) throws(CheckpointError) -> Int {
        if offset < chunkStart || offset + UInt64(count) > chunkStart + UInt64(chunk.count) {
            chunk = try source(offset, max(count, Self.chunkBytes))
            chunkStart = offset
            guard chunk.count >= count else {
                throw CheckpointError(.truncated, file: file, "shrank while it was read")
            }
        }
        return Int(offset - chunkStart)
    }
}
