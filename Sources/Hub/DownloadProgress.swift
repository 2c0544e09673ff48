// Shows how far a download is: a line that is rewritten on a terminal, log lines elsewhere.

internal import Glibc
internal import Logging
internal import Synchronization

/// How much of how much has arrived. Told by several threads.
final class DownloadProgress: Sendable {
    private let logger: Logger
    private let isOnTerminal: Bool
    private let state = Mutex(State())

    private struct State {
        var total: UInt64 = 0
        var arrived: UInt64 = 0
        var name = ""
        var began = ContinuousClock.now
        var shown: ContinuousClock.Instant?
        var notes: Set<String> = []
        var isLineOpen = false
    }

    private static let terminalPause: Duration = .milliseconds(200)
    private static let logPause: Duration = .seconds(10)
    /// Configurations and headers come without a word.
    private static let silentBytes: UInt64 = 4 << 20

    init(_ logger: Logger) {
        self.logger = logger
        isOnTerminal = isatty(STDERR_FILENO) == 1
    }

    func begin(bytes: UInt64) {
        state.withLock { state in
            state = State()
            state.total = bytes
            if isOnTerminal, bytes > Self.silentBytes { write(&state) }
        }
    }

    /// The file that is being fetched.
    func show(_ name: String) { state.withLock { $0.name = name } }

    func add(_ bytes: UInt64) {
        state.withLock { state in
            state.arrived += bytes
            guard state.total > Self.silentBytes else { return }
            let now = ContinuousClock.now
            let pause = isOnTerminal ? Self.terminalPause : Self.logPause
            guard now - (state.shown ?? state.began) >= pause else { return }
            state.shown = now
            if isOnTerminal { write(&state) } else { logger.info("\(text(state))") }
        }
    }

    /// Says something once.
    func note(_ text: String) {
        let isNew = state.withLock { $0.notes.insert(text).inserted }
        if isNew { logger.info("\(text)") }
    }

    /// - Parameter isWhole: whether everything arrived.
    func end(isWhole: Bool) {
        state.withLock { state in
            if state.isLineOpen {
                write(&state)
                _ = Glibc.write(STDERR_FILENO, "\n", 1)
                state.isLineOpen = false
            } else if isWhole, state.total > Self.silentBytes {
                logger.info("downloaded \(text(state))")
            }
        }
    }

    private func write(_ state: inout State) {
        let width = 30
        let filled = state.total == 0 ? width : Int(min(state.arrived, state.total) * UInt64(width) / state.total)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        // The rest of a longer line before is cleared.
        let line = "\r[\(bar)] \(text(state))\u{1B}[K"
        _ = line.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        state.isLineOpen = true
    }

    private func text(_ state: State) -> String {
        let duration = (ContinuousClock.now - state.began).components
        let seconds = Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
        let rate = sizeText(UInt64(Double(state.arrived) / max(seconds, 0.001)))
        let arrived = min(state.arrived, state.total)
        return "\(sizeText(arrived)) of \(sizeText(state.total)), \(rate)/s, \(state.name)"
    }
}
