// When an idle link says that its sender lives.

/// Decides when a heartbeat is due: when nothing else was sent for an interval.
struct HeartbeatSchedule: Sendable {
    enum Action: Equatable, Sendable {
        case wait(until: MonotonicTime)
        case send
    }

    let interval: Duration
    private var lastSent: MonotonicTime

    init(interval: Duration, startingAt now: MonotonicTime) {
        self.interval = interval
        lastSent = now
    }

    /// Something, heartbeat or not, was sent.
    mutating func sent(at now: MonotonicTime) {
        lastSent = now
    }

    func action(at now: MonotonicTime) -> Action {
        let due = lastSent + interval
        return now >= due ? .send : .wait(until: due)
    }
}
