// How long to wait before dialing again.

/// Delays that double from the first to the largest.
struct Backoff: Sendable {
    private let first: Duration
    private let max: Duration
    private var next: Duration

    init(first: Duration, max: Duration) {
        self.first = first
        self.max = max
        next = first
    }

    /// The delay before the next attempt.
    mutating func delay() -> Duration {
        defer { next = Swift.min(next * 2, max) }
        return Swift.min(next, max)
    }

    /// Begins anew after a success.
    mutating func reset() {
        next = first
    }
}
