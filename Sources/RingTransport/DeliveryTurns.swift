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
        var isDelivering = false
        var isReadingOver = false
        var isOver = false
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

    /// Lets the other thread read.
    func passReading() {
        change { $0.isReading = false }
    }

    /// Ends reading; what has been read can still be delivered.
    func endReading() {
        change { $0.isReadingOver = true }
    }

    /// Waits until the frame before has been delivered.
    /// - Returns: `false` when the link was closed.
    func beginDelivery() -> Bool {
        wait { state in
            if state.isOver { return false }
            if state.isDelivering { return nil }
            state.isDelivering = true
            return true
        }
    }

    func endDelivery() {
        change { $0.isDelivering = false }
    }

    /// Ends reading and delivering.
    func close() {
        change { $0.isOver = true }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock(body)
        state.signal()
    }

    /// Waits until `claim` gives an answer. The other thread ends its turn or the link is closed, so that no limit of
    /// time is needed.
    private func wait(_ claim: (inout State) -> Bool?) -> Bool {
        state.withLock(until: nil, claim) ?? false
    }
}
