// Connects to a neighbor.

import Glibc

/// Opens connections; a wait for one can be canceled from another thread.
final class Dialer: Sendable {
    private let cancellation: WakeUp

    init() throws(LinkError) {
        cancellation = try WakeUp()
    }

    /// Ends the dial under way and every later one with ``LinkError/closed``.
    func cancel() {
        cancellation.signal()
    }

    /// Connects to the first of the host's addresses that answers.
    /// - Parameter timeout: for each of them.
    /// - Throws: ``LinkError/notConnected(address:reason:)`` with the reason of the last one tried.
    func dial(_ address: RingAddress, timeout: Duration) throws(LinkError) -> Socket {
        var last = LinkError.notConnected(address: "\(address)", reason: "the host has no address")
        for candidate in try SocketAddress.resolve(address) {
            do throws(LinkError) {
                return try connect(to: candidate, of: address, timeout)
            } catch {
                if error == .closed { throw error }
                last = error
            }
        }
        throw last
    }

    private func connect(
        to candidate: SocketAddress, of address: RingAddress, _ timeout: Duration
    ) throws(LinkError) -> Socket {
        func failure(_ reason: String) -> LinkError { .notConnected(address: "\(address)", reason: reason) }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(candidate.family, kind, 0)
        guard descriptor >= 0 else { throw .system(operation: "making a socket", code: errno) }
        let socket = Socket(descriptor: descriptor)
        if candidate.withPointer({ Glibc.connect(descriptor, $0, $1) }) != 0 {
            guard errno == EINPROGRESS || errno == EINTR else { throw failure(SystemError.text(errno)) }
            guard try waitToConnect(descriptor, until: .now() + timeout) else {
                throw failure("no answer within \(timeout.inSeconds) s")
            }
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { throw failure(SystemError.text(code)) }
        }
        // Dialing a port of this machine that nobody listens on can by chance use that very port as its own, and then
        // finds itself.
        guard Self.address(descriptor, getsockname) != Self.address(descriptor, getpeername) else {
            throw failure(SystemError.text(ECONNREFUSED))
        }
        // No limit on unacknowledged bytes: a neighbor that computes for minutes does not read for minutes.
        socket.setOptions(unacknowledgedMax: nil)
        return socket
    }

    /// - Returns: whether the connection was decided before the deadline.
    private func waitToConnect(_ descriptor: Int32, until deadline: MonotonicTime) throws(LinkError) -> Bool {
        var polls = (
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: cancellation.descriptor, events: Int16(POLLIN), revents: 0)
        )
        while true {
            let count = withUnsafeMutablePointer(to: &polls) { pointer in
                pointer.withMemoryRebound(to: pollfd.self, capacity: 2) {
                    poll($0, 2, deadline.pollMilliseconds(from: .now()))
                }
            }
            if count > 0 {
                guard polls.1.revents == 0 else { throw .closed }
                return true
            }
            if MonotonicTime.now() >= deadline { return false }
        }
    }

    private static func address(
        _ descriptor: Int32,
        _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> RingAddress? {
        var address = SocketAddress()
        guard address.withMutablePointer({ call(descriptor, $0, $1) }) == 0 else { return nil }
        return address.numeric
    }
}
