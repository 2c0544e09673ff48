// Shows how far loading is: a line that is rewritten on a terminal, log lines elsewhere.

import Glibc
import Logging

final class LoadProgressLine: Sendable {
    private let logger: Logger
    private let onTerminal = isatty(STDERR_FILENO) == 1
    /// A log gets this many lines for a load, however many layers there are.
    private static let logLines = 10

    init(logger: Logger) {
        self.logger = logger
    }

    func show(_ loaded: Int, of total: Int) {
        guard total > 0 else { return }
        if onTerminal {
            let width = 30
            let filled = width * loaded / total
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
            let line = "\r[\(bar)] \(loaded)/\(total) layers" + (loaded == total ? "\n" : "")
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        } else if loaded * Self.logLines / total > (loaded - 1) * Self.logLines / total {
            logger.info("loaded \(loaded) of \(total) layers")
        }
    }
}
