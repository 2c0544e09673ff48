// Tests of the dialing end against neighbors that behave in every way.

import Testing
import Wire

@testable import RingTransport

@Suite struct OutgoingLinkTests {
    @Test func aSilentNeighborIsGivenUpAndDialedAgain() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatTimeout = .milliseconds(150)
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address, configuration: configuration)
        defer { dialer.close(); listener.close() }
        let first = try listener.connection(0)
        #expect(try first.answer(as: .shard("b")) == .shard("dialer"))
        try dialer.states.first { $0 == .disconnected(.silent(.milliseconds(150))) }
        try dialer.log.first { $0.contains("nothing was heard for 0.15 s") }
        _ = try listener.connection(1).answer(as: .shard("b"))
        try dialer.waitUntilConnected(2)
    }

    @Test func heartbeatsGoOutOnAnIdleLink() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatInterval = .milliseconds(20)
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address, configuration: configuration)
        defer { dialer.close(); listener.close() }
        let peer = try listener.connection(0)
        _ = try peer.answer(as: .shard("b"))
        let frames = try (0..<3).map { _ in try peer.receiveFrame() }
        #expect(frames == (1...3).map { Frame(.heartbeat(Heartbeat(sequenceNumber: $0))) })
    }

    @Test func anotherVersionIsOneClearError() throws {
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address)
        defer { dialer.close(); listener.close() }
        _ = try listener.connection(0).answer(as: .shard("b", version: 9))
        try dialer.log.first {
            $0.hasPrefix("error")
                && $0.contains(
                    "b speaks version 9 of the ring's protocol, this daemon version \(WireLimits.protocolVersion)")
        }
        let error = #expect(throws: LinkError.self) { try dialer.link.send(.step(1)) }
        #expect(error?.description.contains("version 9") == true)
        #expect(dialer.states.all == [], "there never was a connection")
    }

    @Test func aServerOfAnotherKindIsNamedSo() throws {
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address)
        defer { dialer.close(); listener.close() }
        try listener.connection(0).send("HTTP/1.1 400 Bad Request\r\n\r\n")
        try dialer.log.first { $0.contains("no daemon of the ring") }
    }

    @Test func aNeighborThatSaysNothingIsNotWaitedForForever() throws {
        var configuration = LinkConfiguration()
        configuration.helloTimeout = .milliseconds(50)
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address, configuration: configuration)
        defer { dialer.close(); listener.close() }
        _ = try listener.connection(0)
        try dialer.log.first { $0.contains("did not introduce itself in time") }
        // It is dialed again.
        _ = try listener.connection(1)
    }

    @Test func aFullQueueIsAnErrorAfterItsTime() throws {
        var configuration = LinkConfiguration()
        configuration.queueTimeout = .milliseconds(30)
        configuration.queueFramesMax = 2
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address, configuration: configuration)
        defer { dialer.close(); listener.close() }
        let peer = try listener.connection(0)
        _ = try peer.answer(as: .shard("b"))
        try dialer.waitUntilConnected()
        // Some go to the system's buffers, two to the queue; the peer reads none.
        let error = #expect(throws: LinkError.self) {
            for step in 1...1000 as ClosedRange<UInt64> { try dialer.link.send(.step(step, payloadBytes: 8 << 20)) }
        }
        #expect(error == .congested(.milliseconds(30)))
        // The peer lives, so the link does.
        #expect(dialer.link.state.peer == .shard("b"))
    }

    @Test func aFrameThatBreaksALimitIsNotSent() throws {
        let listener = try ListeningDaemon()
        let dialer = try DialingDaemon(to: listener.listener.address)
        defer { dialer.close(); listener.close() }
        try dialer.waitUntilConnected()
        let error = #expect(throws: LinkError.self) {
            try dialer.link.send(Frame(.step(Step(epoch: 1, stepID: 1, runs: []))))
        }
        #expect(error?.description == "Step.runs.count is 0; allowed is 1 to 1024")
        try dialer.link.send(.step(2))
        try listener.events.first { $0.frame?.stepID == 2 }
    }

    @Test func somethingThatMustNotComeBackwardEndsTheConnection() throws {
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address)
        defer { dialer.close(); listener.close() }
        let peer = try listener.connection(0)
        _ = try peer.answer(as: .shard("b"))
        try peer.send(.step(1))
        try dialer.log.first { $0.contains("a Step arrived backward") }
        _ = try listener.connection(1)
    }

    @Test func anUnknownHostIsNamed() throws {
        let dialer = try DialingDaemon(to: RingAddress(host: "no-such-host.invalid", port: 1))
        defer { dialer.close() }
        try dialer.log.first { $0.contains("no-such-host.invalid") && $0.contains("waiting") }
    }

    @Test func closingEndsEveryWait() throws {
        // While dialing again after a mismatch (half a minute), while waiting for a Hello, and while connected.
        let listener = try RawListener()
        defer { listener.close() }
        let mismatched = try DialingDaemon(to: listener.address)
        _ = try listener.connection(0).answer(as: .shard("b", version: 9))
        try mismatched.log.first { $0.contains("version 9") }
        mismatched.close()
        let waiting = try DialingDaemon(to: listener.address)
        _ = try listener.connection(1)
        waiting.close()
        let connected = try DialingDaemon(to: listener.address)
        _ = try listener.connection(2).answer(as: .shard("b"))
        try connected.waitUntilConnected()
        connected.close()
        connected.close()
        #expect(connected.states.all == [.connected(.shard("b")), .disconnected(.closed)])
        #expect(throws: LinkError.closed) { try connected.link.send(.step(1)) }
    }
}
