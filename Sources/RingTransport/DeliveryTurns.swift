// Who reads and who delivers on a link.

/// Lets two threads take turns so that frames are read one after another and delivered one after another, in order,
/// while the next frame is read ahead during a long delivery.
///
/// A thread reads a frame, then delivers it itself, which costs no switch of threads. Before it delivers a frame that
/// will take long to compute, it passes the reading on to the other thread, which waits with the frame it read until
/// that delivery has ended: at most one frame is read ahead.
final class DeliveryTurns: Sendable {
    private struct State {
        var isReading = false
        var isReadingOver = false
        var isOver = false
        /// Frames read, and frames whose delivery has ended.
        var readCount: UInt64 = 0
        var deliveredCount: UInt64 = 0
    }

    private let state = Monitor(State())

    /// Waits until nobody else reads.
    /// - Returns: `false` when there is no more to read.
    func beginReading() -> Bool {
        wait { state in
            if state.isReadingOver || state.isOver { return false }
            if state.isReading { return nil }
            state.isReading = true
            return true
        }
    }

    /// Notes that a frame was read, which fixes its place in the order of deliveries.
    /// - Parameter passesReading: whether the other thread may read from now on.
    /// - Returns: the frame's place.
    func didRead(passesReading: Bool) -> UInt64 {
        let place = state.withLock { state in
            state.isReading = !passesReading
            defer { state.readCount += 1 }
            return state.readCount
        }
        if passesReading { state.signal() }
        return place
    }

    /// Ends reading; what has been read can still be delivered.
    func endReading() {
        state.withLock { $0.isReadingOver = true }
        state.signal()
    }

    /// Waits until the frames before have been delivered.
    /// - Returns: `false` when the link was closed.
    func beginDelivery(at place: UInt64) -> Bool {
        wait { $0.isOver ? false : $0.deliveredCount == place ? true : nil }
    }

    func endDelivery() {
        let isAwaited = state.withLock { state in
            state.deliveredCount += 1
            return state.readCount > state.deliveredCount
        }
        // Waking a thread that waits to read, for nothing, would cost more than all else between two short frames.
        if isAwaited { state.signal() }
    }

    /// Ends reading and delivering.
    func close() {
        state.withLock { $0.isOver = true }
        state.signal()
    }

    /// Waits until `claim` gives an answer. The other thread ends its turn or the link is closed, so that no limit of
    /// time is needed.
    private func wait(_ claim: (inout State) -> Bool?) -> Bool {
        state.withLock(until: nil, claim) ?? false
    }
}
