// Fetches parts of files, several at a time, and makes whole files of those that are complete.

internal import Glibc
internal import Synchronization
internal import Weights

/// What is wanted of a file.
struct WantedRanges: Sendable {
    let file: HubFile
    var ranges: RangeSet<UInt64>

    init(_ file: HubFile, _ ranges: RangeSet<UInt64>) {
        self.file = file
        self.ranges = ranges
    }

    init(whole file: HubFile) {
        self.init(file, RangeSet(file.size > 0 ? 0..<file.size : 0..<0))
    }
}

/// One round of downloads from a commit: files, the pieces of them that are missing, and threads that take the next
/// piece until there are none.
final class HubDownload: Sendable {
    let client: HubClient
    let cache: HubCache
    let commit: String
    let progress: DownloadProgress
    private let keepsParts: Bool
    private let jobs: [FileJob]
    private let state: Mutex<State>
    private let hasFailed: Flag

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)

        var isUp: Bool { value.load(ordering: .relaxed) }
        func raise() { value.store(true, ordering: .relaxed) }
    }

    /// Large enough that asking costs nothing beside it, small enough that little is lost with it.
    private static let pieceBytes: UInt64 = 32 << 20
    /// As many as huggingface_hub has.
    private static let threadsMax = 8
    /// What may remain free beside a download, for the file system's own tables.
    private static let marginBytes: UInt64 = 16 << 20
    /// How often to look whether another process has fetched a piece.
    private static let elsewhereMicroseconds: UInt32 = 100_000

    struct Piece {
        let job: FileJob
        let range: Range<UInt64>
    }

    private struct State {
        var pieces: [Piece] = []
        /// Pieces that another process is fetching.
        var elsewhere: [Piece] = []
        var isWaiting = false
        var failure: HubError?
    }

    /// - Parameter keepsParts: whether parts of files are read while more are fetched; else nothing is left of them
    ///   once there is the whole.
    /// - Throws: when a file cannot be begun, or there is no room.
    init(
        _ wanted: [WantedRanges], of commit: String, _ client: HubClient, _ cache: HubCache, keepsParts: Bool,
        progress: DownloadProgress
    ) throws(HubError) {
        try cache.prepare()
        var jobs: [FileJob] = []
        var pieces: [Piece] = []
        var missingBytes: UInt64 = 0
        for want in wanted {
            let job = try FileJob(want.file, in: cache)
            var missing = want.ranges
            missing.subtract(job.partial.present())
            let parts = missing.ranges.flatMap { $0.pieces(of: Self.pieceBytes) }
            pieces += parts.map { Piece(job: job, range: $0) }
            missingBytes += missing.byteCount
            // A file that is there already, or empty, has no piece whose end would be its own.
            job.begin(pieces: parts.count)
            jobs.append(job)
        }
        try Self.checkRoom(for: missingBytes, in: cache.folder)
        // When one thread fails, the others stop in the middle.
        let hasFailed = Flag()
        self.hasFailed = hasFailed
        self.client = HubClient(
            id: client.id, settings: client.settings,
            isInterrupted: { [isInterrupted = client.isInterrupted] in hasFailed.isUp || isInterrupted() })
        self.cache = cache
        self.commit = commit
        self.keepsParts = keepsParts
        self.progress = progress
        self.jobs = jobs
        // Taken from the end.
        state = Mutex(State(pieces: pieces.reversed()))
        progress.begin(bytes: missingBytes)
    }

    /// Returns when everything wanted is there.
    /// - Throws: the first failure; what has arrived is kept.
    func run() throws(HubError) {
        for job in jobs where job.piecesLeft == 0 { try finish(job) }
        let count = state.withLock { min(Self.threadsMax, $0.pieces.count) }
        guard count > 0 else { return }
        var threads: [BackgroundThread] = []
        for _ in 0..<count {
            do {
                threads.append(try BackgroundThread { [self] in work() })
            } catch {
                guard threads.isEmpty else { break }
                throw HubError(.disk, error.description)
            }
        }
        for thread in threads { thread.join() }
        let failure = state.withLock { $0.failure }
        progress.end(isWhole: failure == nil)
        if let failure { throw failure }
    }

    private static func checkRoom(for bytes: UInt64, in directory: String) throws(HubError) {
        var status = statvfs()
        guard bytes > 0, statvfs(directory, &status) == 0 else { return }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        guard free < bytes + min(bytes, marginBytes) else { return }
        throw HubError(
            .disk,
            "\(directory) has room for \(sizeText(free)), and \(sizeText(bytes)) are to be downloaded; make room there, "
                + "or set HF_HUB_CACHE to a directory on another disk")
    }

    // MARK: Threads

    private func work() {
        do throws(HubError) {
            let connection = try client.connection()
            while let piece = next() {
                let isOurs = try take(piece, on: connection)
                state.withLock { state in
                    if !isOurs { state.elsewhere.append(piece) }
                }
                if isOurs, piece.job.endPiece() { try finish(piece.job) }
            }
        } catch {
            state.withLock { $0.failure = $0.failure ?? error }
            hasFailed.raise()
        }
    }

    /// The next piece; `nil` when the thread is to end.
    private func next() -> Piece? {
        while true {
            let (piece, waits) = state.withLock { state -> (Piece?, Bool) in
                guard state.failure == nil else { return (nil, false) }
                if let piece = state.pieces.popLast() { return (piece, false) }
                // One thread is enough to wait for other processes.
                guard !state.elsewhere.isEmpty, !state.isWaiting else { return (nil, false) }
                state.isWaiting = true
                return (nil, true)
            }
            guard waits else { return piece }
            progress.note("waiting for another process that downloads the same")
            if !client.isInterrupted() { usleep(Self.elsewhereMicroseconds) }
            state.withLock { state in
                if client.isInterrupted() { state.failure = state.failure ?? HubError(.interrupted, "stopped") }
                state.isWaiting = false
                state.pieces += state.elsewhere
                state.elsewhere = []
            }
        }
    }

    /// Fetches what is missing of a piece.
    /// - Returns: `false` when another process is fetching it.
    private func take(_ piece: Piece, on connection: HTTPConnection) throws(HubError) -> Bool {
        let job = piece.job
        guard !job.isStreamed || job.isStreamed(by: connection) else { return false }
        // Another process may have come to the end of the file.
        guard !job.hasBlob else { return true }
        guard job.partial.claim(piece.range) else { return false }
        defer { job.partial.giveUp(piece.range) }
        var missing = RangeSet(piece.range)
        let wanted = missing.byteCount
        missing.subtract(job.partial.present())
        // What another process has fetched meanwhile.
        progress.add(wanted - missing.byteCount)
        for range in missing.ranges {
            let fetcher = RangeFetcher(client, job, commit: commit, progress: progress)
            guard try fetcher.fetch(range, on: connection) else { return false }
        }
        return true
    }

    /// Makes a whole file of one that is complete.
    private func finish(_ job: FileJob) throws(HubError) {
        if !job.hasBlob {
            guard job.partial.isWhole else { return }
            let isDone = try job.partial.promote(
                to: job.blob, digest: job.file.digest, name: job.file.name, isInterrupted: client.isInterrupted)
            guard isDone else { throw HubError(.interrupted, "stopped") }
        }
        try cache.link(job.file, at: commit)
        guard !keepsParts else { return }
        PartialFile.removeLeftovers(in: cache.parts, digest: job.file.digest, after: 0)
    }
}

extension Range<UInt64> {
    /// Itself, cut into parts of at most `bytesMax`.
    func pieces(of bytesMax: UInt64) -> [Range<UInt64>] {
        stride(from: lowerBound, to: upperBound, by: Int(bytesMax)).map {
            $0..<Swift.min($0 + bytesMax, upperBound)
        }
    }
}

extension RangeSet<UInt64> {
    var byteCount: UInt64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }
}
