// A part of a run that is read with one request.

/// A stretch of a file that is read with one request.
protocol FilePart: Sendable {
    var file: WeightFile { get }
    /// The blocks of the file to read.
    var blocks: Range<UInt64> { get }
    /// The bytes in them that are asked for.
    var useful: Range<UInt64> { get }
    /// Where the byte at `offset` of the file is read to.
    func address(of offset: UInt64) -> UnsafeMutableRawPointer
    /// The tensor that the byte at `offset` of the file belongs to, for errors.
    func tensorName(at offset: UInt64) -> String
}

/// A stretch of a run between block boundaries of the file.
///
/// Its bytes are first read to where they would lie if the file were copied to memory block for block, which is what
/// direct reading takes. Then they are moved down by the run's ``ReadRun/shift``, fewer than 64 bytes, while they are
/// still in the processor's cache. Parts are moved on different threads: each stays within its own blocks and keeps its
/// first bytes, which belong to the end of the part before it, aside until all have arrived.
struct ReadPart: FilePart {
    let run: ReadRun
    let file: WeightFile
    let blocks: Range<UInt64>
    let useful: Range<UInt64>
    private let keepsHead: Bool
    private let head: Head

    /// Bytes kept aside. Unchecked: written by the thread that reads the part, read when it is done.
    private final class Head: @unchecked Sendable {
        var bytes = SIMD64<UInt8>()
    }

    /// Cuts a run into parts of at most `bytesMax`, a multiple of the block.
    static func parts(of run: ReadRun, from file: WeightFile, bytesMax: Int) -> [ReadPart] {
        let block = UInt64(ReadRun.blockBytes)
        let runStart = run.fileOffset / block * block
        var parts: [ReadPart] = []
        var start = runStart
        while start < run.fileEnd {
            let end = min(start + UInt64(bytesMax), (run.fileEnd + block - 1) / block * block)
            parts.append(
                ReadPart(
                    run: run, file: file, blocks: start..<end,
                    useful: max(start, run.fileOffset)..<min(end, run.fileEnd),
                    keepsHead: start > runStart && run.shift > 0, head: Head()))
            start = end
        }
        return parts
    }

    func tensorName(at offset: UInt64) -> String { run.tensorName(at: offset) }

    func address(of offset: UInt64) -> UnsafeMutableRawPointer {
        let block = UInt64(ReadRun.blockBytes)
        return run.blockAddress + Int(offset - run.fileOffset / block * block)
    }

    private var headCount: Int { keepsHead ? min(run.shift, useful.count) : 0 }

    /// Moves what was read to where it belongs, all but the first bytes.
    func moveIntoPlace() {
        guard run.shift > 0 else { return }
        let from = address(of: useful.lowerBound)
        if keepsHead {
            withUnsafeMutableBytes(of: &head.bytes) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: from, count: headCount))
            }
        }
        // The two overlap, which this allows.
        (from + headCount - run.shift).copyMemory(from: from + headCount, byteCount: useful.count - headCount)
    }

    /// Puts the first bytes behind the part before, once that is in its place.
    func joinToPrevious() {
        guard keepsHead else { return }
        let gap = UnsafeMutableRawBufferPointer(
            start: address(of: useful.lowerBound) - run.shift, count: headCount)
        withUnsafeBytes(of: head.bytes) { gap.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<gap.count])) }
    }
}
