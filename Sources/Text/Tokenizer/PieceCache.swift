// The ids of pieces seen lately.

/// Remembers what short pieces became. Text repeats its words, so most pieces are found here and need no merging.
///
/// Every entry is one cache line: the piece, zero-padded, with its length, and the ids. A piece has one place it can
/// be in and the last one there stays, so that memory is fixed and no choice of text makes a look-up slow.
final class PieceCache {
    /// Longest piece kept, in bytes: room for all but the longest words of most scripts.
    private static let pieceBytesMax = 32
    /// Most ids kept; what fills the line up to 64 bytes.
    private static let idCountMax = 6
    /// A power of two; 1 MiB in all, which a core's second-level cache holds, and more words than a long text uses.
    private static let entryCount = 1 << 14

    private struct Entry: BitwiseCopyable {
        var key = Key()
        var ids: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)
        var idCount: UInt32 = 0
        /// 0 where the entry is free.
        var byteCount: UInt32 = 0
    }

    /// A zero-padded piece, as words.
    private struct Key: BitwiseCopyable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        init() {}

        @inline(__always)
        init(_ piece: UnsafeBufferPointer<UInt8>) {
            withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: UnsafeRawBufferPointer(piece)) }
        }

        @inline(__always)
        var slot: Int {
            let hash = mix(mix(mix(words.0) ^ words.1) ^ mix(mix(words.2) ^ words.3 &+ 1))
            return Int(truncatingIfNeeded: hash) & (PieceCache.entryCount - 1)
        }
    }

    private let entries: UnsafeMutablePointer<Entry>

    init() {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Self.entryCount * MemoryLayout<Entry>.stride, alignment: MemoryLayout<Entry>.stride)
        entries = memory.bindMemory(to: Entry.self, capacity: Self.entryCount)
        entries.initialize(repeating: Entry(), count: Self.entryCount)
    }

    deinit {
        entries.deallocate()
    }

    /// Appends the ids of a piece when they are known.
    @inline(__always)
    func appendIDs(of piece: UnsafeBufferPointer<UInt8>, to output: inout [UInt32]) -> Bool {
        guard piece.count <= Self.pieceBytesMax else { return false }
        let key = Key(piece)
        let entry = entries + key.slot
        guard entry.pointee.byteCount == UInt32(piece.count), entry.pointee.key.words == key.words else {
            return false
        }
        output.append(entry.pointee.ids.0)
        guard entry.pointee.idCount > 1 else { return true }
        withUnsafeBytes(of: &entry.pointee.ids) { ids in
            output.append(contentsOf: ids.bindMemory(to: UInt32.self)[1..<Int(entry.pointee.idCount)])
        }
        return true
    }

    /// Remembers a piece, if it and its ids are short enough.
    func remember(_ piece: UnsafeBufferPointer<UInt8>, _ ids: ArraySlice<UInt32>) {
        guard piece.count <= Self.pieceBytesMax, !piece.isEmpty, ids.count <= Self.idCountMax, !ids.isEmpty else {
            return
        }
        var entry = Entry()
        entry.key = Key(piece)
        entry.byteCount = UInt32(piece.count)
        entry.idCount = UInt32(ids.count)
        withUnsafeMutableBytes(of: &entry.ids) { memory in
            ids.withUnsafeBytes { memory.copyMemory(from: $0) }
        }
        entries[entry.key.slot] = entry
    }
}
