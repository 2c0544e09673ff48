// Ends a text before any of its stop texts, and never lets part of one out.

/// Holds back the end of a text while it could be the beginning of a stop text.
///
/// Works on bytes: the text that comes in is whole characters, and so is what goes out.
struct StopTextFilter: Sendable {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var stopped = false

    init(stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }
    }

    /// - Returns: the text that may go out now.
    mutating func push(_ text: String) -> String {
        guard !stopped else { return "" }
        guard !stops.isEmpty else { return text }
        held += text.utf8
        if let end = firstStop() {
            stopped = true
            return release(end)
        }
        return release(held.count - longestBeginning())
    }

    /// What was held back, when nothing follows any more.
    mutating func finish() -> String {
        stopped ? "" : release(held.count)
    }

    private mutating func release(_ count: Int) -> String {
        let text = String(decoding: held.prefix(count), as: UTF8.self)
        held.removeFirst(count)
        return text
    }

    /// Where the earliest stop text begins.
    private func firstStop() -> Int? {
        for begin in held.indices where stops.contains(where: { held[begin...].starts(with: $0) }) { return begin }
        return nil
    }

    /// Length of the longest end of the text that some stop text begins with.
    private func longestBeginning() -> Int {
        let longest = min(held.count, (stops.map(\.count).max() ?? 1) - 1)
        for length in stride(from: longest, to: 0, by: -1) {
            let end = held.suffix(length)
            if stops.contains(where: { $0.starts(with: end) }) { return length }
        }
        return 0
    }
}
