// Reads tensors through the page cache.

internal import Glibc
internal import Synchronization

/// Reads with `preadv`: tensors that follow each other in a file come in one call, each to its own place in memory.
/// One descriptor per file, opened when first needed.
public final class BufferedTensorReader: TensorReader {
    /// Bytes asked for in one call: large enough that the call itself costs nothing beside the copying.
    static let callBytesMax = 16 << 20
    /// Pieces in one call; the system allows 1024.
    static let callPiecesMax = 64

    private let files: [SafetensorsFile]
    private let dropsPageCache: Bool
    private let open: Mutex<[ReadOnlyFile?]>
    /// `preadv`, or what a test puts in its place.
    private let readVector: @Sendable (Int32, UnsafePointer<iovec>, Int32, off_t) -> Int

    /// - Parameter dropsPageCache: gives the page cache back after reading: set it for a window, whose layers will be
    ///   read again from disk anyway and whose memory must stay in its budget.
    public convenience init(_ checkpoint: Checkpoint, dropsPageCache: Bool) {
        self.init(checkpoint, dropsPageCache: dropsPageCache, readVector: preadv)
    }

    init(
        _ checkpoint: Checkpoint, dropsPageCache: Bool,
        readVector: @escaping @Sendable (Int32, UnsafePointer<iovec>, Int32, off_t) -> Int
    ) {
        self.files = checkpoint.files
        self.dropsPageCache = dropsPageCache
        self.open = Mutex(Array(repeating: nil, count: checkpoint.files.count))
        self.readVector = readVector
    }

    public func read(_ pieces: [ReadPiece]) throws(CheckpointError) -> UInt64 {
        var total: UInt64 = 0
        var first = 0
        while first < pieces.count {
            // A run: pieces that lie side by side in one file.
            var end = pieces[first].fileOffset + UInt64(pieces[first].byteCount)
            var last = first + 1
            while last < pieces.count, pieces[last].fileIndex == pieces[first].fileIndex, pieces[last].fileOffset == end
            {
                end += UInt64(pieces[last].byteCount)
                last += 1
            }
            let file = try openFile(pieces[first].fileIndex)
            try readRun(pieces[first..<last], from: file)
            let runBytes = end - pieces[first].fileOffset
            if dropsPageCache {
                _ = posix_fadvise(
                    file.descriptor, off_t(pieces[first].fileOffset), off_t(runBytes), POSIX_FADV_DONTNEED)
            }
            total += runBytes
            first = last
        }
        return total
    }

    private func readRun(_ run: ArraySlice<ReadPiece>, from file: ReadOnlyFile) throws(CheckpointError) {
        var index = run.startIndex
        var done = 0  // bytes of run[index] that have arrived
        var vectors: [iovec] = []
        while true {
            while index < run.endIndex, done == run[index].byteCount {
                index += 1
                done = 0
            }
            guard index < run.endIndex else { return }
            Self.fill(&vectors, from: run[index...], skipping: done)
            let offset = run[index].fileOffset + UInt64(done)
            let result = readVector(file.descriptor, vectors, Int32(vectors.count), off_t(offset))
            if result < 0 {
                let code = errno
                if code == EINTR { continue }
                throw CheckpointError(
                    .unreadable, file: file.path, tensor: run[index].tensorName,
                    "cannot be read at byte \(offset): \(systemMessage(code))")
            }
            guard result > 0 else {
                throw CheckpointError(
                    .truncated, file: file.path, tensor: run[index].tensorName,
                    "the file ends at byte \(offset), with \(run[index].byteCount - done) bytes of this tensor to come; "
                        + "it was shortened after it was opened")
            }
            var arrived = result
            while arrived > 0, index < run.endIndex {
                let step = min(arrived, run[index].byteCount - done)
                arrived -= step
                done += step
                if done == run[index].byteCount {
                    index += 1
                    done = 0
                }
            }
        }
    }

    /// The next call's worth of destinations.
    private static func fill(_ vectors: inout [iovec], from pieces: ArraySlice<ReadPiece>, skipping done: Int) {
        vectors.removeAll(keepingCapacity: true)
        var room = callBytesMax
        var skipped = done
        for piece in pieces where piece.byteCount > 0 {
            let count = min(piece.byteCount - skipped, room)
            vectors.append(iovec(iov_base: piece.destination + skipped, iov_len: count))
            room -= count
            skipped = 0
            if room == 0 || vectors.count == callPiecesMax { return }
        }
    }

    private func openFile(_ index: Int) throws(CheckpointError) -> ReadOnlyFile {
        try open.withLock { (open) throws(CheckpointError) in
            if let file = open[index] { return file }
            let file = try ReadOnlyFile(path: files[index].path)
            guard file.byteCount == files[index].byteCount else {
                throw CheckpointError(
                    .truncated, file: file.path,
                    "has \(file.byteCount) bytes, but had \(files[index].byteCount) when the checkpoint was opened; "
                        + "restart to open it anew"
                )
            }
            open[index] = file
            return file
        }
    }
}
