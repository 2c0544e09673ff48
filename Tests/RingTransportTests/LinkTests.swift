// Tests of a link's two ends together, over loopback.

import Testing
import Wire

@testable import RingTransport

@Suite struct LinkTests {
    @Test func introducesBothSidesAndCarriesFramesForwardAndFailuresBackward() throws {
        let listener = try ListeningDaemon("b") { frame, link in
            let failure = Failure(kind: .gap, reason: "tokens are missing", shard: "b", stepID: frame.stepID ?? 0)
            try? link.sendBackward(failure)
        }
        let dialer = try DialingDaemon(to: listener.listener.address, .shard("a"))
        defer { dialer.close(); listener.close() }
        try dialer.waitUntilConnected()
        #expect(dialer.link.state == .connected(.shard("b")))
        let sent = Frame.step(5, payloadBytes: 4096)
        try dialer.link.send(sent)
        let failure = try dialer.failures.first { _ in true }
        #expect(failure == Failure(kind: .gap, reason: "tokens are missing", shard: "b", stepID: 5))
        let received = try listener.events.wait { $0.compactMap(\.frame).first }
        #expect(received == sent)
        #expect(listener.events.all.first == .state(.connected(.shard("a"))), "before the first frame")
        #expect(listener.links.peers == [.shard("a")])
        try dialer.log.first { $0 == "info: connected to b at \(dialer.link.target)" }
    }

    @Test func waitsForANeighborThatStartsLater() throws {
        // A port that was free a moment ago, on an address that no other test uses.
        let host = "127.53.0.1"
        let probe = try PortListener(
            on: RingAddress(host: host, port: 0), logger: CapturedLog.logger().0, onRing: { _ in })
        let address = probe.address
        probe.close()
        let dialer = try DialingDaemon(to: address)
        defer { dialer.close() }
        try dialer.log.first { $0 == "notice: waiting for \(address) (connection refused), retrying" }
        let error = #expect(throws: LinkError.self) { try dialer.link.send(.step(1)) }
        #expect(error == .notConnected(address: address.description, reason: "connection refused"))
        let listener = try ListeningDaemon(on: address)
        defer { listener.close() }
        try dialer.waitUntilConnected()
        try dialer.link.send(.step(2))
        try listener.events.first { $0.frame?.stepID == 2 }
        #expect(dialer.log.all.count { $0.contains("waiting") } == 1)
    }

    @Test func dialsAgainAfterTheConnectionBroke() throws {
        let listener = try ListeningDaemon()
        let relay = try FaultyRelay(to: listener.listener.address)
        let dialer = try DialingDaemon(to: relay.address)
        defer { dialer.close(); relay.close(); listener.close() }
        for round in 1...3 {
            try dialer.waitUntilConnected(round)
            try dialer.link.send(.step(UInt64(round)))
            try listener.events.first { $0.frame?.stepID == UInt64(round) }
            relay.cut()
        }
        try dialer.waitUntilConnected(4)
        let lost = dialer.states.all.filter { $0.peer == nil }
        #expect(lost.count == 3)
        #expect(listener.events.all.compactMap(\.frame?.stepID) == [1, 2, 3])
    }

    /// A network that swallows everything while both ends keep their connections open.
    @Test func aHalfOpenConnectionIsNoticedOnBothEnds() throws {
        var configuration = LinkConfiguration()
        configuration.heartbeatInterval = .milliseconds(50)
        configuration.heartbeatTimeout = .milliseconds(500)
        let listener = try ListeningDaemon(configuration: configuration)
        let relay = try FaultyRelay(to: listener.listener.address)
        let dialer = try DialingDaemon(to: relay.address, configuration: configuration)
        defer { dialer.close(); relay.close(); listener.close() }
        try dialer.waitUntilConnected()
        relay.freeze()
        try dialer.states.first { $0 == .disconnected(.silent(.milliseconds(500))) }
        try listener.events.first { $0.state == .disconnected(.silent(.milliseconds(500))) }
        relay.freeze(false)
        try dialer.waitUntilConnected(2)
    }

    @Test(arguments: [0, 4096, 65_000, 70_000, 1 << 20, 15_000_000])
    func framesOfAllSizesArriveWhole(payloadBytes: Int) throws {
        let listener = try ListeningDaemon()
        let dialer = try DialingDaemon(to: listener.listener.address)
        defer { dialer.close(); listener.close() }
        try dialer.waitUntilConnected()
        for step in 1...3 as ClosedRange<UInt64> { try dialer.link.send(.step(step, payloadBytes: payloadBytes)) }
        let frames = try listener.events.wait { $0.compactMap(\.frame).count == 3 ? $0.compactMap(\.frame) : nil }
        for (index, frame) in frames.enumerated() {
            #expect(frame == .step(UInt64(index + 1), payloadBytes: payloadBytes))
        }
    }

    @Test func framesOfEachThreadKeepTheirOrder() throws {
        let listener = try ListeningDaemon()
        let dialer = try DialingDaemon(to: listener.listener.address)
        defer { dialer.close(); listener.close() }
        try dialer.waitUntilConnected()
        let (senders, framesEach) = (4 as UInt64, 200 as UInt64)
        let threads = try (0..<senders).map { sender in
            try LinkThread(name: "sender") {
                for number in 0..<framesEach {
                    // Every tenth is too long to be written by the sender itself.
                    let payloadBytes = number % 10 == 0 ? 400_000 : 16_384
                    try? dialer.link.send(.step(sender << 32 | number, payloadBytes: payloadBytes))
                }
            }
        }
        for thread in threads { thread.join() }
        let steps = try listener.events.wait { events in
            let steps = events.compactMap(\.frame?.stepID)
            return steps.count == Int(senders * framesEach) ? steps : nil
        }
        for sender in 0..<senders {
            #expect(steps.filter { $0 >> 32 == sender }.map { $0 & 0xFFFF_FFFF } == Array(0..<framesEach))
        }
    }

    /// A prompt's chunk that the next shard is not ready to read must not hold up this one.
    @Test func sendingDoesNotWaitForASlowReceiver() throws {
        let release = EventLog<Void>()
        let listener = try ListeningDaemon { _, _ in _ = try? release.wait(count: 1) }
        let dialer = try DialingDaemon(to: listener.listener.address)
        defer { dialer.close(); listener.close() }
        try dialer.waitUntilConnected()
        for step in 1...6 as ClosedRange<UInt64> { try dialer.link.send(.step(step, payloadBytes: 8 << 20)) }
        #expect(listener.events.all.compactMap(\.frame).isEmpty)
        release.append(())
        let steps = try listener.events.wait {
            $0.count { $0.frame != nil } == 6 ? $0.compactMap(\.frame?.stepID) : nil
        }
        #expect(steps == [1, 2, 3, 4, 5, 6])
    }

    /// Short frames are written by their sender until the system takes only part of one; the rest follows from the
    /// queue.
    @Test func framesThatGoOutInPiecesArriveWhole() throws {
        var configuration = LinkConfiguration()
        configuration.queueFramesMax = 200
        let listener = try RawListener()
        let dialer = try DialingDaemon(to: listener.address, configuration: configuration)
        defer { dialer.close(); listener.close() }
        let peer = try listener.connection(0)
        _ = try peer.answer(as: .shard("b"))
        try dialer.waitUntilConnected()
        // More than the system's buffers of a connection hold, while the peer reads nothing.
        for step in 1...150 as ClosedRange<UInt64> { try dialer.link.send(.step(step, payloadBytes: 65_532)) }
        for step in 1...150 as ClosedRange<UInt64> {
            #expect(try peer.receiveFrameBesideHeartbeats() == .step(step, payloadBytes: 65_532))
        }
    }

    @Test func aFlippedBitOfAPayloadShowsInItsChecksum() throws {
        let listener = try ListeningDaemon()
        let relay = try FaultyRelay(to: listener.listener.address)
        // Beyond the Hello and the step's fields.
        relay.flip(0x10, ofForwardByte: 20_000)
        let dialer = try DialingDaemon(to: relay.address)
        defer { dialer.close(); relay.close(); listener.close() }
        try dialer.waitUntilConnected()
        try dialer.link.send(.step(1, payloadBytes: 40_000))
        let frame = try listener.events.wait { $0.compactMap(\.frame).first }
        guard case .step(let step) = frame.message else { return }
        #expect(Checksum.xxh3(of: frame.payload) != step.checksum)
    }
}
