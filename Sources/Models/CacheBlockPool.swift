// The memory of all key/value caches of a shard: blocks up to a limit, recycled.

internal import Glibc
public import Tensors

/// Lends blocks of memory to caches. Blocks that come back are lent again before the system is asked for more.
///
/// Not thread-safe; it belongs to the thread that computes.
public final class CacheBlockPool {
    /// Most bytes it takes from the system.
    public let bytesMax: Int
    /// Of cached keys and values.
    public let type: FloatType
    /// Bytes lent.
    public private(set) var usedBytes = 0
    /// Bytes that came back and wait to be lent again.
    public private(set) var spareBytes = 0

    private var spare: [Int: [UnsafeMutableRawPointer]] = [:]

    public init(bytesMax: Int, type: FloatType) {
        self.bytesMax = bytesMax
        self.type = type
    }

    deinit {
        for block in spare.values.joined() { free(block) }
    }

    /// A block of `bytes` bytes, 64-byte aligned, with whatever is in it.
    func borrow(bytes: Int) throws(CacheError) -> UnsafeMutableRawPointer {
        if let block = spare[bytes]?.popLast() {
            spareBytes -= bytes
            usedBytes += bytes
            return block
        }
        guard bytes <= bytesMax - usedBytes else {
            throw .full(requestedBytes: bytes, usedBytes: usedBytes, bytesMax: bytesMax)
        }
        // Spare blocks of other sizes make room.
        if bytes > bytesMax - usedBytes - spareBytes { freeSpare() }
        var block: UnsafeMutableRawPointer?
        guard posix_memalign(&block, 64, bytes) == 0, let block else { throw .outOfMemory(requestedBytes: bytes) }
        usedBytes += bytes
        return block
    }

    /// Takes back a block of `bytes` bytes.
    func giveBack(_ block: UnsafeMutableRawPointer, bytes: Int) {
        spare[bytes, default: []].append(block)
        usedBytes -= bytes
        spareBytes += bytes
    }

    /// Returns the spare blocks to the system.
    public func freeSpare() {
        for block in spare.values.joined() { free(block) }
        spare.removeAll()
        spareBytes = 0
    }
}
