// Reads tensors from files: directly from the disk where that is possible, else through the page cache.

internal import Glibc
internal import Synchronization

/// Reads large parts of files with several requests at a time.
///
/// Bytes come directly from the disk (`O_DIRECT`): no copy by the processor, no page cache filled with what is read
/// once in each pass. What the page cache holds anyway is taken from there, which is faster, and a file system that
/// cannot read directly is read through the page cache, which is then told to forget.
public final class FileTensorReader: TensorReader {
    /// What is done with the page cache.
    public enum PageCaching: Sendable {
        /// It is left as it is: for a window, whose layers are read again and again and whose memory has a budget.
        case untouched
        /// It keeps what is read, so that the next start is a copy in memory: for layers that are read once, where
        /// there is memory for both.
        case filled
    }

    /// Bytes of one request: as much as the disk takes to reach its rate with ``ReadQueue/threads`` of them.
    static let partBytes = 2 << 20

    /// Calls that read, for tests to put others in their place.
    struct SystemCalls: Sendable {
        var read: @Sendable (Int32, UnsafeMutableRawPointer, Int, off_t) -> Int = { pread($0, $1, $2, $3) }
        var opensDirectly = true
        var looksIntoPageCache = true
    }

    private let files: [CheckpointFile]
    private let caching: PageCaching
    private let calls: SystemCalls
    private let partBytes: Int
    private let staging: StagingBuffers
    private let state: Mutex<State>

    private struct State {
        var files: [WeightFile?]
        var queue: ReadQueue?
    }

    /// Opens nothing yet.
    public convenience init(_ checkpoint: Checkpoint, caching: PageCaching) {
        self.init(checkpoint, caching: caching, calls: SystemCalls())
    }

    /// - Parameter partBytes: a multiple of ``ReadRun/blockBytes``.
    init(
        _ checkpoint: Checkpoint, caching: PageCaching, calls: SystemCalls,
        partBytes: Int = FileTensorReader.partBytes
    ) {
        files = checkpoint.files
        self.caching = caching
        self.calls = calls
        self.partBytes = partBytes
        staging = StagingBuffers(byteCount: partBytes)
        state = Mutex(State(files: Array(repeating: nil, count: checkpoint.files.count)))
    }

    /// Whether the files opened so far can be read directly.
    public var readsDirectly: Bool { state.withLock { $0.files.allSatisfy { $0?.direct != nil || $0 == nil } } }

    public func read(_ runs: [ReadRun], _ conversions: [TensorConversion]) throws(CheckpointError) -> UInt64 {
        var parts: [ReadPart] = []
        for run in runs {
            parts += ReadPart.parts(of: run, from: try openFile(run.fileIndex), bytesMax: partBytes)
        }
        var conversionParts: [ConversionPart] = []
        for conversion in conversions {
            conversionParts += ConversionPart.parts(
                of: conversion, from: try openFile(conversion.tensor.fileIndex), bytesMax: partBytes)
        }
        let (plain, converted) = (parts, conversionParts)
        let failure = try openQueue().run(plain.count + converted.count) { [self] index in
            index < plain.count ? fill(plain[index]) : fill(converted[index - plain.count])
        }
        if let failure { throw failure }
        for part in plain { part.joinToPrevious() }
        return runs.reduce(0) { $0 + UInt64($1.byteCount) }
            + conversions.reduce(0) { $0 + UInt64($1.tensor.byteCount) }
    }

    // MARK: Parts

    /// Reads one part and moves it to where it belongs.
    private func fill(_ part: ReadPart) -> CheckpointError? {
        if let failure = fetch(part) { return failure }
        part.moveIntoPlace()
        return nil
    }

    /// Reads one part and converts it.
    private func fill(_ part: ConversionPart) -> CheckpointError? {
        staging.withBuffer { buffer in
            let staged = part.staged(in: buffer)
            if let failure = fetch(staged) { return failure }
            return part.conversion.convert(part.tensorBlocks, from: staged.address(of: staged.useful.lowerBound))
        }
    }

    /// Reads one part, from wherever that is fastest.
    private func fetch(_ part: some FilePart) -> CheckpointError? {
        let file = part.file
        let isCached = caching == .filled || calls.looksIntoPageCache && file.buffered.isCached(part.useful)
        let direct = isCached ? nil : file.direct?.descriptor
        if let failure = read(part, direct: direct) { return failure }
        if !isCached, direct == nil { file.buffered.dropCached(part.useful) }
        return nil
    }

    /// - Parameter direct: a descriptor that takes whole blocks; `nil` for one that takes anything.
    private func read(_ part: some FilePart, direct: Int32?) -> CheckpointError? {
        let range = direct == nil ? part.useful : part.blocks
        var offset = range.lowerBound
        while offset < part.useful.upperBound {
            let count = Int(range.upperBound - offset)
            let result = calls.read(
                direct ?? part.file.buffered.descriptor, part.address(of: offset), count, off_t(offset))
            if result < 0 {
                let code = errno
                if code == EINTR { continue }
                return CheckpointError(
                    .unreadable, file: part.file.buffered.path, tensor: part.tensorName(at: offset),
                    "cannot be read at byte \(offset): \(systemMessage(code))")
            }
            var next = offset + UInt64(result)
            // A direct read goes on at a whole block.
            if direct != nil, next < part.useful.upperBound { next -= next % UInt64(ReadRun.blockBytes) }
            guard next > offset else {
                return CheckpointError(
                    .truncated, file: part.file.buffered.path, tensor: part.tensorName(at: offset),
                    "the file ends at byte \(offset + UInt64(result)) with bytes of this tensor to come; "
                        + "it was shortened after it was opened")
            }
            offset = next
        }
        return nil
    }

    // MARK: Opening

    private func openQueue() throws(CheckpointError) -> ReadQueue {
        try state.withLock { (state) throws(CheckpointError) in
            if let queue = state.queue { return queue }
            let queue = try ReadQueue()
            state.queue = queue
            return queue
        }
    }

    private func openFile(_ index: Int) throws(CheckpointError) -> WeightFile {
        try state.withLock { (state) throws(CheckpointError) in
            if let file = state.files[index] { return file }
            let file = try WeightFile(files[index], directly: caching == .untouched && calls.opensDirectly)
            state.files[index] = file
            return file
        }
    }
}

/// A file of weights, open for both ways of reading.
final class WeightFile: Sendable {
    let buffered: ReadOnlyFile
    /// `nil` where the file system does not read directly.
    let direct: ReadOnlyFile?

    init(_ file: CheckpointFile, directly: Bool) throws(CheckpointError) {
        buffered = try ReadOnlyFile(path: file.path)
        guard buffered.byteCount == file.byteCount else {
            throw CheckpointError(
                .truncated, file: file.path,
                "has \(buffered.byteCount) bytes, but had \(file.byteCount) when the checkpoint was opened; "
                    + "restart to open it anew")
        }
        direct = directly ? ReadOnlyFile.directly(file.path) : nil
    }
}
