// What came back from the ring, and when.

import Dispatch
import Synchronization
import Wire

/// Frames that came back, with the moment each arrived.
final class Arrivals: Sendable {
    private let waiting = Mutex<[(Frame, ContinuousClock.Instant)]>([])
    private let arrived = DispatchSemaphore(value: 0)

    /// Whoever takes a frame on the thread that received it, in place of the queue; says whether it did.
    private let answering = Mutex<(@Sendable (Frame, ContinuousClock.Instant) -> Bool)?>(nil)

    func answer(_ take: (@Sendable (Frame, ContinuousClock.Instant) -> Bool)?) {
        answering.withLock { $0 = take }
    }

    func put(_ frame: Frame) {
        let now = ContinuousClock.now
        if let take = answering.withLock({ $0 }), take(frame, now) { return }
        waiting.withLock { $0.append((frame, now)) }
        arrived.signal()
    }

    /// The next frame, `nil` when none comes in time.
    func take(until deadline: ContinuousClock.Instant) -> (Frame, ContinuousClock.Instant)? {
        let left = max(0, ContinuousClock.now.duration(to: deadline).microseconds)
        guard arrived.wait(timeout: .now() + .microseconds(Int(left))) == .success else { return nil }
        return waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    func pause(_ duration: Duration) {
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .microseconds(Int(duration.microseconds)))
    }
}
