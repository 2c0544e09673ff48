// Page-aligned memory that weights are read into.

internal import Glibc

/// One piece of anonymous memory, freed when the last reference goes and reused over many loads.
///
/// Unchecked: whoever loads into it makes sure that nobody reads it meanwhile; ``LayerStore`` does.
public final class WeightSlab: @unchecked Sendable {
    /// At least page-aligned.
    let baseAddress: UnsafeMutableRawPointer
    public let byteCount: Int

    private let mappingAddress: UnsafeMutableRawPointer
    private let mappingByteCount: Int

    /// The size of huge pages on x86-64, and on arm64 with 4 KiB pages.
    private static let hugePageBytes = 2 << 20
    /// From this size on, aligning to huge pages wastes less than an eighth of address space (and no memory).
    private static let hugeSlabBytesMin = 16 << 20

    private static func mappingBytes(_ byteCount: Int) -> Int {
        max(byteCount, 1) + (byteCount >= hugeSlabBytesMin ? hugePageBytes : 0)
    }

    /// Most memory that a slab of `byteCount` bytes takes: whole pages, huge ones where it has them.
    public static func memoryBytes(_ byteCount: Int) -> Int {
        let pageBytes = max(1, Int(getpagesize()))
        return (mappingBytes(byteCount) + pageBytes - 1) / pageBytes * pageBytes
    }

    /// - Throws: when the system gives no such memory.
    public init(byteCount: Int) throws(CheckpointError) {
        let huge = byteCount >= Self.hugeSlabBytesMin
        let mappingByteCount = Self.mappingBytes(byteCount)
        guard
            let mapping = mmap(nil, mappingByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            mapping != MAP_FAILED
        else {
            throw CheckpointError(
                .unreadable,
                "no memory for \(byteCount) bytes of weights (\(systemMessage(errno))); "
                    + "use a smaller prefetch window or fewer layers"
            )
        }
        var base = mapping
        if huge {
            base = mapping.alignedUp(toMultipleOf: Self.hugePageBytes)
            // Fewer translations to miss while weights stream through the processor. Only advice: without it all is
            // slower, not wrong.
            madvise(base, byteCount, MADV_HUGEPAGE)
        }
        self.baseAddress = base
        self.byteCount = byteCount
        self.mappingAddress = mapping
        self.mappingByteCount = mappingByteCount
    }

    deinit { munmap(mappingAddress, mappingByteCount) }
}
