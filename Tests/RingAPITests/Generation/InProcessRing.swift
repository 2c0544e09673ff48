// Simulated shards behind a coordinator, on a thread of their own as links are.

import Dispatch
import Synchronization
import Wire

@testable import RingAPI

/// Takes the coordinator's frames and hands it what comes of them, in order, on another thread.
final class InProcessRing: FrameSender {
    static let link: UInt64 = 5

    private struct State {
        var shards: SimulatedShards
        var coordinator: RingCoordinator?
        var sent: [Message] = []
        var isPaused = false
        var held: [Frame] = []
        var stepsUntilPause = Int.max
        /// A step of more rows cannot be sent.
        var rowsMax = Int.max
        var obstacle: String?
    }

    private let state: Mutex<State>
    private let thread = DispatchQueue(label: "ring")

    init(_ descriptions: [ShardDescription]) {
        state = Mutex(State(shards: SimulatedShards(descriptions)))
    }

    /// Joins the coordinator and its ring; both links are up when it returns.
    func join(_ coordinator: RingCoordinator) {
        state.withLock { $0.coordinator = coordinator }
        coordinator.connect(through: self)
        coordinator.inboundConnected(Self.link)
        coordinator.outgoingConnected()
        settle()
    }

    /// Returns when the ring has nothing more to carry.
    func settle() {
        var seen = -1
        while true {
            thread.sync {}
            let count = state.withLock { $0.sent.count }
            if count == seen { return }
            seen = count
        }
    }

    var sent: [Message] { state.withLock { $0.sent } }
    var held: Set<UInt64> { state.withLock { $0.shards.held } }

    func change(_ body: (inout SimulatedShards) -> Void) {
        state.withLock { body(&$0.shards) }
    }

    var obstacle: String? { state.withLock { $0.obstacle } }

    func set(obstacle: String) {
        state.withLock { $0.obstacle = obstacle }
    }

    func refuseStepsAbove(rows: Int) {
        state.withLock { $0.rowsMax = rows }
    }

    /// Keeps frames back until ``resume()``, after some more steps.
    func pause(afterSteps count: Int = 0) {
        state.withLock { state in
            state.stepsUntilPause = count
            state.isPaused = count == 0
        }
    }

    func resume() {
        let held = state.withLock { state in
            state.isPaused = false
            state.stepsUntilPause = .max
            defer { state.held = [] }
            return state.held
        }
        for frame in held { carry(frame) }
    }

    func send(_ frame: Frame) throws {
        let isHeld = try state.withLock { state in
            state.sent.append(frame.message)
            guard case .step(let step) = frame.message else { return hold(frame, &state) }
            guard step.rowCount <= state.rowsMax else { throw UnsendableFrame(reason: "the step is too large") }
            if state.stepsUntilPause == 0 { state.isPaused = true }
            state.stepsUntilPause -= 1
            return hold(frame, &state)
        }
        if !isHeld { carry(frame) }
    }

    private func hold(_ frame: Frame, _ state: inout State) -> Bool {
        if state.isPaused { state.held.append(frame) }
        return state.isPaused
    }

    private func carry(_ frame: Frame) {
        thread.async { [self] in
            let (outcome, coordinator) = state.withLock { ($0.shards.handle(frame), $0.coordinator) }
            switch outcome {
            case .forward(let frame): coordinator?.receive(frame, on: Self.link)
            case .backward(let failure): coordinator?.receiveBackward(failure)
            case .unreachable: coordinator?.outgoingLost(reason: "connection refused")
            case .lost: break
            }
        }
    }
}
