// Which of many equal things are worth a line in the log.

/// Lets the first notice of a reason through, then fewer and fewer: after 10 s, 20 s, … up to 5 minutes.
struct RepeatedNotice: Sendable {
    private var reason: String?
    private var nextAt = MonotonicTime(nanoseconds: 0)
    // A person who watches sees the wait soon again; a log of days has some hundred lines a day.
    private var gaps = Backoff(first: .seconds(10), max: .seconds(300))

    /// Whether to log `reason` now.
    mutating func isDue(_ reason: String, at now: MonotonicTime) -> Bool {
        if reason != self.reason {
            self.reason = reason
            gaps.reset()
        } else if now < nextAt {
            return false
        }
        nextAt = now + gaps.delay()
        return true
    }

    /// What was noticed is over; the next one is news.
    mutating func reset() {
        reason = nil
    }
}
