// Tests that everything closed gives its descriptors back, in processes of their own where nothing else opens any.

import Glibc
import Testing
import Wire

@testable import RingTransport

@Suite struct DescriptorTests {
    @Test func nothingLeaks() async {
        await #expect(processExitsWith: .success) {
            // The first of everything may open descriptors that stay, such as the resolver's.
            try Self.liveAndDie()
            let before = Self.openDescriptors
            for _ in 0..<5 { try Self.liveAndDie() }
            try #require(Self.openDescriptors == before)
        }
    }

    @Test func acceptingGoesOnWhenDescriptorsAreFreeAgain() async {
        await #expect(processExitsWith: .success) {
            let daemon = try ListeningDaemon()
            let peer = try RawPeer.connect(to: daemon.listener.address)
            _ = try peer.introduce(as: .shard("a"))
            // One descriptor for the dialing end, none for the accepting one.
            let open = Set(Self.openDescriptors)
            let free = try #require((0..<1024).first { !open.contains($0) })
            var limit = rlimit(rlim_cur: rlim_t(free) + 1, rlim_max: 1024)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let late = try RawPeer.connect(to: daemon.listener.address)
            try late.send(Frame(.hello(.shard("late"))))
            try daemon.log.first { $0.contains("cannot accept connections") && $0.contains("too many open files") }
            limit.rlim_cur = 512
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            try daemon.events.first { $0.state == .connected(.shard("late")) }
            daemon.close()
        }
    }

    private static func liveAndDie() throws {
        let listener = try ListeningDaemon()
        let relay = try FaultyRelay(to: listener.listener.address)
        let dialer = try DialingDaemon(to: relay.address)
        try dialer.waitUntilConnected()
        try dialer.link.send(.step(1, payloadBytes: 1 << 20))
        try listener.events.first { $0.frame?.stepID == 1 }
        relay.cut()
        try dialer.waitUntilConnected(2)
        let stranger = try RawPeer.connect(to: listener.listener.address)
        try stranger.send("GET / HTTP/1.1\r\n\r\n")
        _ = try stranger.receiveToEnd()
        dialer.close()
        relay.close()
        listener.close()
    }

    private static var openDescriptors: [Int] {
        (0..<1024).filter { fcntl(Int32($0), F_GETFD) >= 0 }
    }
}
