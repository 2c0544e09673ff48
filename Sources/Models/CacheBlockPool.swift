// The memory of all key/value caches of a shard: blocks up to a limit, recycled.

internal import Glibc
public import Tensors

/// Lends blocks of memory to caches. Blocks that come back are lent again before the system is asked for more.
///
/// Caches of sequences that begin the same share blocks: such a block is lent once and counted once, and comes back
/// with the last cache that gives it up.
///
/// Not thread-safe; it belongs to the thread that computes.
public final class CacheBlockPool {
    /// Most bytes it takes from the system.
    public let bytesMax: Int
    /// Of cached keys and values.
    public let type: CacheType
    /// Bytes lent.
    public private(set) var usedBytes = 0
    /// Bytes that came back and wait to be lent again.
    public private(set) var spareBytes = 0

    private var spare: [Int: [UnsafeMutableRawPointer]] = [:]
    /// Holders beside the first, of blocks that have more than one.
    private var otherHolders: [UnsafeRawPointer: Int] = [:]

    public init(bytesMax: Int, type: CacheType) {
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

    /// Lets one more cache hold a block that is lent.
    func share(_ block: UnsafeRawPointer) {
        otherHolders[block, default: 0] += 1
    }

    /// Whether another cache would see what is written into a block.
    func isShared(_ block: UnsafeRawPointer) -> Bool {
        !otherHolders.isEmpty && otherHolders[block] != nil
    }

    /// Takes back a block of `bytes` bytes from one of its holders.
    func giveBack(_ block: UnsafeMutableRawPointer, bytes: Int) {
        if !otherHolders.isEmpty, let others = otherHolders[block] {
            otherHolders[block] = others > 1 ? others - 1 : nil
            return
        }
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
