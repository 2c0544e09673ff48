// Working memory of a step: bump allocation in chunks that are kept from step to step.

import Glibc

/// Hands out 64-byte aligned memory by moving an offset, and takes it back all at once.
///
/// It takes memory from the system in chunks, up to ``bytesMax``. After a ``reset()`` the chunks are merged into one
/// that is as large as all of them, so steps of a size seen before ask the system for nothing. Not thread-safe.
public final class TensorArena {
    /// A state to return to, with all that was allocated after it freed.
    public struct Mark {
        fileprivate let chunk: Int
        fileprivate let offset: Int
        fileprivate let usedBytes: Int
    }

    /// Cache lines, and the widest vector registers, have 64 bytes.
    static let alignment = 64
    /// Holds a decode step of a layer of most models of a few billion weights, so that a small model never takes a
    /// second chunk.
    static let chunkBytesMin = 1 << 20

    /// Most bytes it takes from the system.
    public let bytesMax: Int
    /// Bytes taken from the system.
    public private(set) var reservedBytes = 0
    /// Bytes handed out since the last ``reset()`` and not released.
    public private(set) var usedBytes = 0
    /// Largest ``usedBytes`` so far.
    public private(set) var usedBytesPeak = 0

    private var chunks: [UnsafeMutableRawBufferPointer] = []
    private var current = 0
    private var offset = 0
    private var nextChunkBytes = TensorArena.chunkBytesMin

    public init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    deinit { freeChunks() }

    /// Memory for `bytes` bytes, uninitialized, valid until a mark before it is released or the arena is reset.
    func allocate(bytes: Int) throws(TensorError) -> UnsafeMutableRawPointer {
        let bytes = (max(bytes, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
        while current < chunks.count {
            if bytes <= chunks[current].count - offset { return take(bytes) }
            guard current + 1 < chunks.count else { break }
            current += 1
            offset = 0
        }
        try grow(by: bytes)
        return take(bytes)
    }

    private func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        defer {
            offset += bytes
            usedBytes += bytes
            usedBytesPeak = max(usedBytesPeak, usedBytes)
        }
        return chunks[current].baseAddress.unsafelyUnwrapped + offset
    }

    private func grow(by bytes: Int) throws(TensorError) {
        if usedBytes == 0 { freeChunks() }
        guard bytes <= bytesMax - reservedBytes else {
            throw .arenaFull(requestedBytes: bytes, usedBytes: usedBytes, bytesMax: bytesMax)
        }
        let chunkBytes = max(bytes, min(nextChunkBytes, bytesMax - reservedBytes))
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, Self.alignment, chunkBytes) == 0, let memory else {
            throw .outOfMemory(requestedBytes: chunkBytes)
        }
        chunks.append(UnsafeMutableRawBufferPointer(start: memory, count: chunkBytes))
        reservedBytes += chunkBytes
        // Doubling keeps the number of chunks in one large step small.
        nextChunkBytes = max(nextChunkBytes, reservedBytes)
        current = chunks.count - 1
        offset = 0
    }

    /// The present state.
    public func mark() -> Mark {
        Mark(chunk: current, offset: offset, usedBytes: usedBytes)
    }

    /// Frees all that was allocated after `mark`.
    public func release(to mark: Mark) {
        precondition(mark.usedBytes <= usedBytes, "a mark is released once, the latest first")
        (current, offset, usedBytes) = (mark.chunk, mark.offset, mark.usedBytes)
    }

    /// Frees all, and merges the chunks.
    public func reset() {
        if chunks.count > 1 {
            nextChunkBytes = reservedBytes
            freeChunks()
        }
        (current, offset, usedBytes) = (0, 0, 0)
    }

    private func freeChunks() {
        for chunk in chunks { free(chunk.baseAddress) }
        chunks.removeAll(keepingCapacity: true)
        reservedBytes = 0
    }
}
