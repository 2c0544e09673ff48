// Tests of which frames may travel when.

import Testing
import Wire

@testable import RingTransport

@Suite struct ConnectionStateMachineTests {
    private static let failure = Failure(kind: .gap, reason: "r", shard: "s")
    /// Every message with whether it may travel forward and backward once both sides are introduced.
    private static let table: [(Message, forward: Bool, backward: Bool)] = [
        (.hello(.shard("again")), false, false),
        (.heartbeat(Heartbeat(sequenceNumber: 1)), true, true),
        (.probe(Probe(probeID: 1)), true, false),
        (.begin(Begin(epoch: 1, modelFingerprint: Array(0..<16), activations: .f32)), true, false),
        (Frame.step(1).message, true, false),
        (.result(StepResult(epoch: 1, stepID: 1, runs: [])), true, false),
        (.forget(Forget(epoch: 1, sequenceIDs: [])), true, false),
        (.failure(failure), true, true),
    ]

    private func introduced(_ side: ConnectionStateMachine.Side) throws -> ConnectionStateMachine {
        var machine = ConnectionStateMachine(side, ours: .shard("a"))
        #expect(try machine.received(.hello(.shard("b"))) == .introduced(.shard("b")))
        return machine
    }

    @Test(arguments: 0..<8)
    func forward(row: Int) throws {
        try check(Self.table[row].0, isAllowed: Self.table[row].forward, on: .accepting)
    }

    @Test(arguments: 0..<8)
    func backward(row: Int) throws {
        try check(Self.table[row].0, isAllowed: Self.table[row].backward, on: .dialing)
    }

    private func check(_ message: Message, isAllowed: Bool, on side: ConnectionStateMachine.Side) throws {
        var machine = try introduced(side)
        if isAllowed {
            let isHeartbeat = message == .heartbeat(Heartbeat(sequenceNumber: 1))
            #expect(try machine.received(message) == (isHeartbeat ? .heartbeat : .message))
        } else {
            #expect(throws: LinkError.self) { try machine.received(message) }
        }
    }

    @Test(arguments: 1..<8)
    func nothingComesBeforeTheHello(row: Int) {
        for side in [ConnectionStateMachine.Side.dialing, .accepting] {
            var machine = ConnectionStateMachine(side, ours: .shard("a"))
            let error = #expect(throws: LinkError.self) { try machine.received(Self.table[row].0) }
            #expect(error?.description.contains("where a Hello belongs") == true)
            #expect(machine.messageBytesMax == WireLimits.helloBytesMax)
        }
    }

    @Test func anotherVersionIsNamedWithBoth() {
        var machine = ConnectionStateMachine(.accepting, ours: .shard("a", version: 1))
        let error = #expect(throws: LinkError.self) { try machine.received(.hello(.shard("b", version: 7))) }
        #expect(error == .versionMismatch(peer: "b", theirs: 7, ours: 1))
        #expect(error?.description.contains("version 7") == true && error?.description.contains("version 1;") == true)
        #expect(machine.peer == nil)
    }

    @Test func longFramesAreAcceptedOnlyAfterTheHello() throws {
        let machine = try introduced(.accepting)
        #expect(machine.messageBytesMax == WireLimits.frameBytesMax)
    }
}
