// A longer network on this machine: a connection whose bytes arrive some time after they were sent.

import Dispatch
import Glibc
import Synchronization

/// Listens on a loopback port and passes what comes on to another, late; what goes the other way is not held up. Every
/// byte is late by the same time, however many are on the way: a delay, not a slower line.
final class DelayedLink: Sendable {
    /// Where to connect to instead.
    let port: UInt16
    private let listening: Int32
    private let connected = Mutex<[Int32]>([])

    private static let bytesMax = 1 << 16

    init(to target: UInt16, by delay: Duration) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                    && listen(descriptor, 4) == 0
            }
        }
        guard isListening else { throw BenchError("no port to listen on: \(String(cString: strerror(errno)))") }
        (listening, port) = (descriptor, UInt16(bigEndian: address.sin_port))
        Self.thread { [self] in
            while true {
                let near = accept(listening, nil, nil)
                guard near >= 0 else { return }
                guard let far = Self.connection(to: target) else {
                    // The shard is not there yet: whoever connects will try again.
                    close(near)
                    continue
                }
                connected.withLock { $0 += [near, far] }
                Self.pass(from: near, to: far, after: delay)
                Self.pass(from: far, to: near, after: .zero)
            }
        }
    }

    func stop() {
        shutdown(listening, Int32(SHUT_RDWR))
        close(listening)
        for descriptor in connected.withLock({ $0 }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Bytes on their way, with the moment at which they arrive. `nil` bytes: the end.
    private final class Line: Sendable {
        private let waiting = Mutex<[(bytes: [UInt8]?, at: ContinuousClock.Instant)]>([])
        private let sent = DispatchSemaphore(value: 0)

        func send(_ bytes: [UInt8]?, at moment: ContinuousClock.Instant) {
            waiting.withLock { $0.append((bytes, moment)) }
            sent.signal()
        }

        func receive() -> [UInt8]? {
            sent.wait()
            let (bytes, moment) = waiting.withLock { $0.removeFirst() }
            let left = ContinuousClock.now.duration(to: moment)
            if left > .zero { usleep(UInt32(left.microseconds)) }
            return bytes
        }
    }

    private static func pass(from: Int32, to: Int32, after delay: Duration) {
        let line = Line()
        thread {
            var buffer = [UInt8](repeating: 0, count: bytesMax)
            while true {
                let count = recv(from, &buffer, buffer.count, 0)
                line.send(count > 0 ? Array(buffer[..<count]) : nil, at: .now + delay)
                guard count > 0 else { return }
            }
        }
        thread {
            while let bytes = line.receive() {
                var done = 0
                while done < bytes.count {
                    let count = bytes[done...].withUnsafeBytes {
                        Glibc.send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                    guard count > 0 else { break }
                    done += count
                }
            }
            shutdown(to, Int32(SHUT_RDWR))
        }
    }

    /// A thread of its own: these wait for most of their time.
    private static func thread(_ body: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "ring-bench.delayed-link").async(execute: body)
    }

    private static func connection(to port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let isConnected = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(descriptor)
            return nil
        }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        address.sin_port = port.bigEndian
        return address
    }
}
