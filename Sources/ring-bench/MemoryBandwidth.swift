// How fast this machine reads memory, computes and reads its disk: the limits that rows are held against.

import CBench
import COpenBLAS
import Dispatch
import Glibc

/// Reads a buffer much larger than any cache, again and again.
final class MemoryBandwidth {
    private let buffer: UnsafeMutableRawPointer
    /// Several times the last cache of the largest servers.
    private static let bytes = 512 << 20

    init() throws {
        guard let buffer = cbench_allocate(Self.bytes) else { throw BenchError("no memory to read") }
        self.buffer = buffer
    }

    deinit { free(buffer) }

    /// Bytes a second of one reading by `threads` threads, each of its own stretch.
    func bytesPerSecond(threads: Int) -> Double {
        let part = Self.bytes / threads / 512 * 512
        nonisolated(unsafe) let buffer = buffer
        let begun = ContinuousClock.now
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            // The sum is of no use, but a value that is kept is computed.
            withExtendedLifetime(cbench_read(buffer + thread * part, part)) {}
        }
        return Double(part * threads) / begun.duration(to: .now).seconds
    }

    /// The best of a few readings: a limit is what the machine can do, not what it did while disturbed.
    func best(threads: Int, of readings: Int = 5) -> Double {
        (0..<readings).map { _ in bytesPerSecond(threads: threads) }.max() ?? 0
    }
}

enum MatrixRate {
    /// Rows, columns and inputs: large enough that packing costs nothing.
    private static let size = 1536

    /// Floating-point operations a second of OpenBLAS's sgemm, best of three.
    static func floatOperationsPerSecond(threads: Int) -> Double {
        openblas_set_num_threads(Int32(threads))
        let count = size * size
        let a = [Float](repeating: 0.5, count: count)
        let b = [Float](repeating: 0.25, count: count)
        var c = [Float](repeating: 0, count: count)
        let side = blasint(size)
        let rates = (0..<4).map { _ in
            let begun = ContinuousClock.now
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, side, side, side, 1, a, side, b, side, 0, &c, side)
            return 2 * Double(size) * Double(size) * Double(size) / begun.duration(to: .now).seconds
        }
        return rates.max() ?? 0
    }
}

enum DiskRate {
    private static let blockBytes = 2 << 20
    private static let bytesMax = 512 << 20

    /// Bytes a second of reading the end of a file past the page cache, where a checkpoint's later layers lie, with
    /// `depth` reads at a time; the better of two readings, as what lies beneath the disk may have a cache of its own.
    static func bytesPerSecond(of path: String, depth: Int) throws -> Double {
        let descriptor = cbench_open_direct(path)
        guard descriptor >= 0 else { throw BenchError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw BenchError("\(path) has no size") }
        let blocks = min(Int(status.st_size), bytesMax) / blockBytes
        let first = Int(status.st_size) / blockBytes - blocks
        guard blocks >= depth else { throw BenchError("\(path) is too short to measure the disk with") }
        nonisolated(unsafe) let memory = UnsafeMutableRawPointer.allocate(
            byteCount: blockBytes * depth, alignment: 4096)
        defer { memory.deallocate() }
        let rates = (0..<2).map { _ in
            let begun = ContinuousClock.now
            // A queue each, whose threads may be more than the processors: they wait for the disk.
            let lanes = DispatchGroup()
            for lane in 0..<depth {
                DispatchQueue(label: "ring-bench.disk").async(group: lanes) {
                    for block in stride(from: lane, to: blocks, by: depth) {
                        let place = (first + block) * blockBytes
                        guard pread(descriptor, memory + lane * blockBytes, blockBytes, place) == blockBytes else {
                            return
                        }
                    }
                }
            }
            lanes.wait()
            return Double(blocks * blockBytes) / begun.duration(to: .now).seconds
        }
        return rates.max() ?? 0
    }

    /// Drops a file's clean pages from the page cache.
    static func forget(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }
}
