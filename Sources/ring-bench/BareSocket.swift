// The floor of a hop: the same bytes between two threads over loopback, with nothing done to them.

import Dispatch
import Glibc

enum BareSocket {
    /// Median microseconds for `bytes` bytes one way over a TCP connection between two threads, over `rounds` round
    /// trips.
    /// - Parameter workBytes: what each side reads from memory before it answers, as a shard reads weights. It puts
    ///   the other to sleep for a while and takes its own caches from it, which is what a hop finds in earnest.
    static func oneWayMicroseconds(bytes: Int, rounds: Int, workBytes: Int) throws -> Double {
        let (near, far) = try connectedPair()
        defer { close(near) }
        let echo = DispatchQueue(label: "echo")
        let there = Moments()
        let back = Moments()
        echo.async {
            let work = Work(bytes: workBytes)
            var buffer = [UInt8](repeating: 0, count: bytes)
            while receive(far, &buffer) {
                there.arrived()
                work.read()
                back.sent()
                guard transmit(far, buffer) else { break }
            }
            close(far)
        }
        let work = Work(bytes: workBytes)
        var buffer = [UInt8](repeating: 7, count: bytes)
        for _ in 0..<rounds {
            work.read()
            there.sent()
            guard transmit(near, buffer), receive(near, &buffer) else { throw BenchError("the bare socket broke") }
            back.arrived()
        }
        return (there.microseconds + back.microseconds).median
    }

    /// Memory that is read through.
    private final class Work {
        private let words: [UInt64]
        private(set) var sum: UInt64 = 0

        init(bytes: Int) { words = [UInt64](repeating: 1, count: bytes / 8) }

        @inline(never) func read() {
            sum = words.reduce(sum, &+)
        }
    }

    /// When something was sent and when it arrived, in turns. Unchecked: the socket orders the two threads.
    private final class Moments: @unchecked Sendable {
        private var sentAt = ContinuousClock.now
        private(set) var microseconds: [Double] = []

        func sent() { sentAt = .now }

        func arrived() { microseconds.append(sentAt.duration(to: .now).microseconds) }
    }

    private static func transmit(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) == $0.count }
    }

    private static func receive(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
        buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_WAITALL)) == $0.count }
    }

    private static func connectedPair() throws -> (Int32, Int32) {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listening) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let near = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let connected = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listening, $0, length) == 0 && getsockname(listening, $0, &length) == 0
                    && listen(listening, 1) == 0
                    && connect(near, $0, length) == 0
            }
        }
        let far = connected ? accept(listening, nil, nil) : -1
        guard far >= 0 else { throw BenchError("no loopback connection: \(String(cString: strerror(errno)))") }
        var yes: Int32 = 1
        for descriptor in [near, far] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        return (near, far)
    }
}
