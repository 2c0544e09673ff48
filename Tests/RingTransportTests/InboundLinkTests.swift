// Tests of the accepting end against neighbors that behave in every way.

import Testing
import Wire

@testable import RingTransport

@Suite struct InboundLinkTests {
    private func connect(to daemon: ListeningDaemon) throws -> RawPeer {
        let peer = try RawPeer.connect(to: daemon.listener.address)
        #expect(try peer.introduce(as: .shard("a")) == .shard("listener"))
        return peer
    }

    @Test func heartbeatsGoBackwardWhileAFrameIsWorkedOn() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatInterval = .milliseconds(20)
        let release = EventLog<Void>()
        let daemon = try ListeningDaemon(configuration: configuration) { _, _ in _ = try? release.wait(count: 1) }
        defer { daemon.close() }
        let peer = try connect(to: daemon)
        try peer.send(.step(1))
        for _ in 0..<5 { #expect(try peer.receiveFrame()?.message.kind == "Heartbeat") }
        release.append(())
        try daemon.events.first { $0.frame?.stepID == 1 }
    }

    @Test func aSilentNeighborIsGivenUp() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatTimeout = .milliseconds(100)
        let daemon = try ListeningDaemon(configuration: configuration)
        defer { daemon.close() }
        let peer = try connect(to: daemon)
        try daemon.events.first { $0.state == .disconnected(.silent(.milliseconds(100))) }
        #expect(try peer.receiveMessage() == nil)
        #expect(daemon.links.peers == [])
    }

    /// A step may take longer than the time after which silence counts: what was said meanwhile waits to be read.
    @Test func workIsNotTakenForSilence() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatTimeout = .milliseconds(100)
        let heartbeats = EventLog<Void>()
        let daemon = try ListeningDaemon(configuration: configuration) { frame, _ in
            if frame.stepID == 1 { _ = try? heartbeats.wait(count: 20) }
        }
        defer { daemon.close() }
        let peer = try connect(to: daemon)
        try peer.send(.step(1))
        for number in 1...20 as ClosedRange<UInt64> {
            try peer.send(Frame(.heartbeat(Heartbeat(sequenceNumber: number))))
            letPass(.milliseconds(10))
            heartbeats.append(())
        }
        try peer.send(.step(2))
        try daemon.events.first { $0.frame?.stepID == 2 }
        #expect(daemon.events.all.allSatisfy { $0.state?.peer != nil || $0.frame != nil })
    }

    @Test func anotherVersionGetsAnAnswerAndIsRefused() throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        let peer = try RawPeer.connect(to: daemon.listener.address)
        #expect(try peer.introduce(as: .shard("a", version: 9)) == .shard("listener"), "the dialer learns our version")
        #expect(try peer.receiveMessage() == nil)
        try daemon.log.first { $0.contains("a speaks version 9") && $0.hasPrefix("warning: refused") }
    }

    @Test(arguments: [
        ([0, 0, 0, 0], "length 0"), ([0, 0xFF, 0, 0], "frame of 16711680 bytes; at most 4096"),
        ([0, 0, 0, 4, 0x12, 0x02, 0x08, 0x01], "the first frame is a Heartbeat"),
        ([0, 0, 0, 3, 0xFF, 0xFF, 0xFF], "not a message of the ring"),
    ])
    func aConnectionThatDoesNotBeginWithAHelloIsRefused(bytes: [UInt8], reason: String) throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        let peer = try RawPeer.connect(to: daemon.listener.address)
        try peer.send(bytes)
        #expect(try peer.receiveMessage() == nil)
        try daemon.log.first { $0.contains("refused the connection") && $0.contains(reason) }
        _ = try connect(to: daemon)
    }

    @Test func aHelloThatDoesNotComeIsNotWaitedForForever() throws {
        var configuration = LinkConfiguration()
        configuration.helloTimeout = .milliseconds(50)
        let daemon = try ListeningDaemon(configuration: configuration)
        defer { daemon.close() }
        let peer = try RawPeer.connect(to: daemon.listener.address)
        try peer.send([0, 0, 0])
        #expect(try peer.receiveMessage() == nil)
        try daemon.log.first { $0.contains("did not introduce itself in time") }
    }

    @Test func whatCannotBeReadIsAnsweredWithTheReason() throws {
        let daemon = try ListeningDaemon("b")
        defer { daemon.close() }
        let peer = try RawPeer.connect(to: daemon.listener.address)
        _ = try peer.introduce(as: .shard("a"))
        // A step without runs, and more behind it that will never be read.
        try peer.send([0, 0, 0, 4, 0x2A, 0x02, 0x08, 0x01])
        try peer.send([UInt8](repeating: 1, count: 100_000))
        guard case .failure(let failure) = try peer.receiveMessage() else {
            Issue.record("no failure came back")
            return
        }
        #expect(failure.kind == .malformed)
        #expect(failure.shard == "b")
        #expect(failure.reason == "what a sent to b cannot be used: Step.runs.count is 0; allowed is 1 to 1024")
        try daemon.events.first { $0.state?.peer == nil && $0.state != nil }
        try daemon.log.first { $0.hasPrefix("error") && $0.contains("Step.runs.count") }
    }

    @Test func aFrameCutShortEndsTheLink() throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        do {
            let peer = try connect(to: daemon)
            let encoded = try FrameCodec.encode(.step(1, payloadBytes: 1 << 20))
            try peer.send(encoded.head + encoded.payload.dropLast())
        }
        let state = try daemon.events.wait { $0.compactMap(\.state).first { $0.peer == nil } }
        #expect(state == .disconnected(.closedByPeer))
        #expect(daemon.events.all.compactMap(\.frame).isEmpty)
    }

    @Test func framesReadBeforeTheEndAreDelivered() throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        do {
            let peer = try connect(to: daemon)
            for step in 1...4 as ClosedRange<UInt64> { try peer.send(.step(step, payloadBytes: 1 << 20)) }
        }
        try daemon.events.first { $0.state == .disconnected(.closedByPeer) }
        #expect(daemon.events.all.compactMap(\.frame?.stepID) == [1, 2, 3, 4])
    }

    @Test func closingFromACallbackReturns() throws {
        let daemon = try ListeningDaemon { _, link in link.close() }
        defer { daemon.close() }
        let peer = try connect(to: daemon)
        try peer.send(.step(1))
        #expect(try peer.receiveMessage() == nil)
        try daemon.events.first { $0.state == .disconnected(.closed) }
    }

    @Test func aNeighborThatIsGoneCannotBeToldOfFailures() throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        _ = try connect(to: daemon)
        try daemon.events.first { $0.state == .disconnected(.closedByPeer) }
        daemon.links.sendBackward(Failure(kind: .gap, reason: "r", shard: "s"))
    }
}
