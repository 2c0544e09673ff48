// Tests of listening, and of telling the ring's connections from others.

import Glibc
import Testing
import Wire

@testable import RingTransport

@Suite struct PortListenerTests {
    @Test func aBusyPortIsOneClearError() throws {
        let holder = try PortListener(on: .loopback, logger: CapturedLog.logger().0, onRing: { _ in })
        defer { holder.close() }
        let address = holder.address
        let error = #expect(throws: ListenError.self) {
            try PortListener(on: address, logger: CapturedLog.logger().0, onRing: { _ in })
        }
        #expect(error == .inUse(address))
        #expect(error?.description.hasPrefix("port \(address.port) on 127.0.0.1 is in use;") == true)
    }

    @Test func aClosedPortIsFreeAtOnce() throws {
        let address = RingAddress(host: "127.53.0.2", port: 0)
        let first = try PortListener(on: address, logger: CapturedLog.logger().0, onRing: { _ in })
        try first.start()
        _ = try RawPeer.connect(to: first.address)
        first.close()
        let second = try PortListener(on: first.address, logger: CapturedLog.logger().0, onRing: { _ in })
        #expect(second.address == first.address)
        second.close()
    }

    @Test func addressesThatAreNotHereAreNamed() {
        func error(_ host: String) -> ListenError? {
            #expect(throws: ListenError.self) {
                try PortListener(on: RingAddress(host: host, port: 0), logger: CapturedLog.logger().0, onRing: { _ in })
            }
        }
        #expect(error("192.0.2.1") == .notHere(RingAddress(host: "192.0.2.1", port: 0)))
        #expect(error("no-such-host.invalid")?.description.contains("cannot find the address of no-such-host") == true)
    }

    @Test func aShardTellsStrangersWhatThePortIsFor() throws {
        let daemon = try ListeningDaemon()
        defer { daemon.close() }
        let browser = try RawPeer.connect(to: daemon.listener.address)
        try browser.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try browser.receiveToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.hasSuffix("send requests to ring-api.\n"))
        try daemon.log.first { $0.contains("an HTTP request arrived at the ring port") }

        let secure = try RawPeer.connect(to: daemon.listener.address)
        try secure.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        #expect(try secure.receiveToEnd() == "")
        try daemon.log.first { $0.contains("a TLS handshake arrived at the ring port") }

        let noise = try RawPeer.connect(to: daemon.listener.address)
        try noise.send([0xDE, 0xAD, 0xBE, 0xEF])
        #expect(try noise.receiveToEnd() == "")
        try daemon.log.first { $0.contains("not of the ring's protocol") }

        #expect(daemon.log.all.count { $0.contains("refused") } == 3, "one line each")
        let neighbor = try RawPeer.connect(to: daemon.listener.address)
        #expect(try neighbor.introduce(as: .shard("a")) == .shard("listener"))
    }

    @Test func othersAreHandedOnUnread() throws {
        let foreign = EventLog<(AcceptedConnection, ForeignProtocol)>()
        let ring = EventLog<AcceptedConnection>()
        let listener = try PortListener(
            on: .loopback, logger: CapturedLog.logger().0, onRing: { ring.append($0) },
            onForeign: { foreign.append(($0, $1)) })
        try listener.start()
        defer { listener.close() }
        let client = try RawPeer.connect(to: listener.address)
        try client.send("POST /v1/completions")
        let (connection, kind) = try foreign.wait(count: 1)[0]
        #expect(kind == .http)
        #expect(connection.peerAddress.hasPrefix("127.0.0.1:"))
        let server = try RawPeer.over(connection)
        #expect(String(decoding: try server.receive(20), as: UTF8.self) == "POST /v1/completions")
        #expect(connection.takeDescriptor() == nil, "it has one owner")

        let neighbor = try RawPeer.connect(to: listener.address)
        try neighbor.send(Frame(.hello(.shard("a"))))
        let accepted = try RawPeer.over(try ring.wait(count: 1)[0])
        #expect(try accepted.receiveFrame() == Frame(.hello(.shard("a"))))
    }

    @Test func connectionsThatSayNothingHoldNobodyUpAndAreClosed() throws {
        var configuration = LinkConfiguration()
        configuration.firstByteTimeout = .milliseconds(200)
        let daemon = try ListeningDaemon(configuration: configuration)
        defer { daemon.close() }
        let silent = try (0..<10).map { _ in try RawPeer.connect(to: daemon.listener.address) }
        let neighbor = try RawPeer.connect(to: daemon.listener.address)
        #expect(try neighbor.introduce(as: .shard("a")) == .shard("listener"))
        for peer in silent { #expect(try peer.receiveToEnd() == "") }
    }

    @Test func tooManySilentConnectionsPushOutTheOldest() throws {
        var configuration = LinkConfiguration()
        configuration.pendingConnectionsMax = 3
        let daemon = try ListeningDaemon(configuration: configuration)
        defer { daemon.close() }
        let silent = try (0..<5).map { _ in try RawPeer.connect(to: daemon.listener.address) }
        #expect(try silent[0].receiveToEnd() == "")
        #expect(try silent[1].receiveToEnd() == "")
        #expect(try silent[4].introduce(as: .shard("a")) == .shard("listener"))
    }
}
