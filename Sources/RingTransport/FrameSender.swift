// Writes frames to a socket.

import Glibc
import Wire

/// Writes frames in the order in which they are given, from any thread, without ever blocking on the network.
///
/// A short frame is written by the thread that sends it as long as the socket takes it; what the socket does not take
/// waits in a queue that the link's own thread empties through ``flush()``.
final class FrameSender: Sendable {
    private struct State {
        var queue: FrameQueue
        /// A thread is writing outside the lock; others queue.
        var isWriting = false
        var failure: LinkError?
        var schedule: HeartbeatSchedule
    }

    private let socket: Socket
    private let wakeUp: WakeUp
    private let configuration: LinkConfiguration
    private let state: Monitor<State>

    /// - Parameter wakeUp: signaled when there is something to flush.
    init(_ socket: Socket, wakeUp: WakeUp, configuration: LinkConfiguration) {
        self.socket = socket
        self.wakeUp = wakeUp
        self.configuration = configuration
        state = Monitor(
            State(
                queue: FrameQueue(framesMax: configuration.queueFramesMax, bytesMax: configuration.queueBytesMax),
                schedule: HeartbeatSchedule(interval: configuration.heartbeatInterval, startingAt: .now())))
    }

    /// Sends a frame, or queues it behind those that wait.
    /// - Throws: ``LinkError/congested(_:)`` when the queue stays full, or what broke the connection.
    func send(_ frame: EncodedFrame) throws(LinkError) {
        let bytes = frame.byteCount
        // The clock is read only where the queue is full.
        var admitted = try state.withLock { state throws(LinkError) in try admit(frame, &state) }
        if admitted == nil {
            admitted = try state.withLock(until: .now() + configuration.queueTimeout) { state throws(LinkError) in
                try admit(frame, &state)
            }
        }
        guard let admitted else { throw .congested(configuration.queueTimeout) }
        guard admitted == .writes else { return wakeUp.signal() }
        let transfer = write(frame, from: 0)
        try finishWriting { state in
            switch transfer {
            case .bytes(bytes): break
            case .bytes(let written): state.queue.prepend(frame, writtenBytes: written)
            case .wouldBlock: state.queue.prepend(frame, writtenBytes: 0)
            case .closedByPeer: state.failure = .closedByPeer
            case .failed(let code): state.failure = .system(operation: "sending", code: code)
            }
            if !state.queue.isEmpty { wakeUp.signal() }
        }
    }

    private enum Admission {
        /// The sending thread writes.
        case writes
        case queued
    }

    /// Claims the right to write when nobody else writes or waits, else queues the frame.
    /// - Returns: `nil` when the queue is full.
    private func admit(_ frame: EncodedFrame, _ state: inout State) throws(LinkError) -> Admission? {
        if let failure = state.failure { throw failure }
        if !state.isWriting, state.queue.isEmpty, frame.byteCount <= configuration.inlineFrameBytesMax {
            state.isWriting = true
            return .writes
        }
        guard state.queue.hasRoom(for: frame.byteCount) else { return nil }
        state.queue.append(frame)
        return .queued
    }

    /// Writes what waits, as far as the socket takes it.
    /// - Returns: whether more waits that the socket does not take now.
    func flush() throws(LinkError) -> Bool {
        while true {
            let claimed = try state.withLock { state throws(LinkError) -> (EncodedFrame, Int)? in
                if let failure = state.failure { throw failure }
                guard !state.isWriting, let frame = state.queue.first else { return nil }
                state.isWriting = true
                return (frame, state.queue.writtenBytes)
            }
            // A thread that writes now wakes this one when something is left over.
            guard let (frame, written) = claimed else { return false }
            let transfer = write(frame, from: written)
            try finishWriting { state in
                switch transfer {
                case .bytes(let bytes): state.queue.wrote(bytes)
                case .wouldBlock: break
                case .closedByPeer: state.failure = .closedByPeer
                case .failed(let code): state.failure = .system(operation: "sending", code: code)
                }
            }
            if case .wouldBlock = transfer { return true }
        }
    }

    private func finishWriting(_ update: (inout State) -> Void) throws(LinkError) {
        let failure = state.withLock { state in
            state.isWriting = false
            state.schedule.sent(at: .now())
            update(&state)
            return state.failure
        }
        state.signal()
        if let failure {
            // The thread that reads learns of it at once.
            socket.shutdown()
            throw failure
        }
    }

    /// Whether a heartbeat is due, and else when to ask again.
    func heartbeatAction() -> HeartbeatSchedule.Action {
        let now = MonotonicTime.now()
        return state.withLock { state in
            // While frames wait, the peer hears them or reads nothing at all.
            state.queue.isEmpty && !state.isWriting
                ? state.schedule.action(at: now) : .wait(until: now + state.schedule.interval)
        }
    }

    /// Lets nothing more through; threads that wait for room return with `error`.
    func fail(_ error: LinkError) {
        state.withLock { $0.failure = $0.failure ?? error }
        state.signal()
    }

    private func write(_ frame: EncodedFrame, from written: Int) -> Socket.Transfer {
        frame.head.withUnsafeBytes { head in
            frame.payload.withUnsafeBytes { payload in
                let headLeft = max(0, head.count - written)
                return socket.send(
                    UnsafeRawBufferPointer(rebasing: head[(head.count - headLeft)...]),
                    UnsafeRawBufferPointer(rebasing: payload[max(0, written - head.count)...]))
            }
        }
    }
}
