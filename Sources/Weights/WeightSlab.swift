// Page-aligned memory that weights are read into.

internal import Glibc

/// One piece of anonymous memory, freed when the last reference goes and reused over many loads.
///
/// Unchecked: whoever loads into it makes sure that nobody reads it meanwhile; ``LayerStore`` does.
public final class WeightSlab: @unchecked Sendable {
    /// At least page-aligned.
    let baseAddress: UnsafeMutableRawPointer
    public let byteCount: Int
    private let mapping: MemoryMapping

    private init(_ mapping: MemoryMapping, offset: Int, byteCount: Int) {
        self.mapping = mapping
        self.byteCount = byteCount
        baseAddress = mapping.baseAddress + offset
    }

    /// A slab of its own.
    /// - Throws: when the system gives no such memory.
    public convenience init(byteCount: Int) throws(CheckpointError) {
        try self.init(MemoryMapping(byteCount: byteCount), offset: 0, byteCount: byteCount)
    }

    /// Slabs one behind the other, which are freed together: so the memory of many small ones, too, consists of huge
    /// pages.
    /// - Throws: when the system gives no such memory.
    static func neighbors(byteCounts: [Int]) throws(CheckpointError) -> [WeightSlab] {
        let mapping = try MemoryMapping(byteCount: memoryBytes(byteCounts))
        var offset = 0
        return byteCounts.map { byteCount in
            defer { offset += MemoryMapping.wholePages(byteCount) }
            return WeightSlab(mapping, offset: offset, byteCount: byteCount)
        }
    }

    /// Most memory that slabs of these sizes take.
    public static func memoryBytes(_ byteCounts: [Int]) -> Int {
        byteCounts.reduce(0) { $0 + MemoryMapping.wholePages($1) }
    }
}

/// Memory from the system, given back when the last reference goes.
///
/// Unchecked: it is only an address; see ``WeightSlab``.
private final class MemoryMapping: @unchecked Sendable {
    let baseAddress: UnsafeMutableRawPointer
    private let address: UnsafeMutableRawPointer
    private let byteCount: Int

    /// The size of huge pages on x86-64, and on arm64 with 4 KiB pages.
    private static let hugePageBytes = 2 << 20

    static func wholePages(_ byteCount: Int) -> Int {
        let pageBytes = max(1, Int(getpagesize()))
        return (max(byteCount, 1) + pageBytes - 1) / pageBytes * pageBytes
    }

    init(byteCount useful: Int) throws(CheckpointError) {
        // Room to begin at a huge page: address space, no memory.
        let isHuge = useful >= Self.hugePageBytes
        byteCount = max(useful, 1) + (isHuge ? Self.hugePageBytes : 0)
        guard
            let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            address != MAP_FAILED
        else {
            throw CheckpointError(
                .unreadable,
                "no memory for \(useful) bytes of weights (\(systemMessage(errno))); "
                    + "use a smaller prefetch window or fewer layers"
            )
        }
        self.address = address
        baseAddress = isHuge ? address.alignedUp(toMultipleOf: Self.hugePageBytes) : address
        // Weights stream through the processor: with small pages it looks up an address every 64 cache lines. Only
        // advice: without it all is slower, not wrong.
        if isHuge { madvise(baseAddress, useful, MADV_HUGEPAGE) }
    }

    deinit { munmap(address, byteCount) }
}
