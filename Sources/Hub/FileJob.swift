// A file that is being fetched, as the threads at it share it.

internal import Synchronization

/// A file that is being fetched.
final class FileJob: Sendable {
    let file: HubFile
    let partial: PartialFile
    /// Where it lies once it is whole.
    let blob: String
    private let shared = Mutex(Shared())

    private struct Shared {
        var piecesLeft = 0
        /// Where the hub redirected to, which is asked directly from then on.
        var location: WebAddress?
        /// The connection that reads the whole file because the server gives no ranges.
        var stream: ObjectIdentifier?
    }

    init(_ file: HubFile, in cache: HubCache) throws(HubError) {
        self.file = file
        blob = cache.blob(file.digest)
        partial = try PartialFile(in: cache.parts, digest: file.digest, size: file.size)
    }

    var hasBlob: Bool { SmallFile.size(blob) == file.size }

    func begin(pieces: Int) { shared.withLock { $0.piecesLeft = pieces } }

    var piecesLeft: Int { shared.withLock { $0.piecesLeft } }

    /// - Returns: whether that was the last.
    func endPiece() -> Bool {
        shared.withLock {
            $0.piecesLeft -= 1
            return $0.piecesLeft == 0
        }
    }

    var location: WebAddress? {
        get { shared.withLock { $0.location } }
        set { shared.withLock { $0.location = newValue } }
    }

    var isStreamed: Bool { shared.withLock { $0.stream != nil } }

    func isStreamed(by connection: HTTPConnection) -> Bool {
        shared.withLock { $0.stream == ObjectIdentifier(connection) }
    }

    /// Whether this connection is the one to read the whole file.
    func beginStream(by connection: HTTPConnection) -> Bool {
        shared.withLock { shared in
            shared.stream = shared.stream ?? ObjectIdentifier(connection)
            return shared.stream == ObjectIdentifier(connection)
        }
    }

    func endStream() { shared.withLock { $0.stream = nil } }
}
