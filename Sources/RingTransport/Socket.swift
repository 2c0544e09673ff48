// A connected stream socket.

import Glibc

/// Owns a socket; the descriptor is closed when the last thread lets go of it, so that none can use
/// another's.
final class Socket: Sendable {
    let descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { _ = Glibc.close(descriptor) }

    /// What became of a call.
    enum Transfer {
        case bytes(Int)
        case wouldBlock
        case closedByPeer
        case failed(Int32)
    }

    /// Receives what has arrived.
    func receive(into target: UnsafeMutableRawBufferPointer) -> Transfer {
        Self.transfer { recv(descriptor, target.baseAddress, target.count, Int32(MSG_DONTWAIT)) }
    }

    /// Sends what the socket takes of two buffers, without raising SIGPIPE.
    func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Transfer {
        var parts = (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
        )
        return withUnsafeMutablePointer(to: &parts) { pointer in
            pointer.withMemoryRebound(to: iovec.self, capacity: 2) { vector in
                var message = msghdr()
                message.msg_iov = vector
                message.msg_iovlen = second.isEmpty ? 1 : 2
                return Self.transfer { sendmsg(descriptor, &message, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) }
            }
        }
    }

    /// Ends both directions; threads that wait on the socket wake.
    func shutdown() {
        _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Says that nothing more will be sent.
    func shutdownSending() {
        _ = Glibc.shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Receives some bytes, sleeping until there are any: one system call where polling first would take three.
    /// - Returns: ``Transfer/wouldBlock`` when the time set by ``setReceiveTimeout(_:)`` has passed.
    func receiveBlocking(into target: UnsafeMutableRawBufferPointer) -> Transfer {
        Self.transfer { recv(descriptor, target.baseAddress, target.count, 0) }
    }

    /// How long ``receiveBlocking(into:)`` sleeps at most.
    func setReceiveTimeout(_ timeout: Duration) {
        let (seconds, attoseconds) = timeout.components
        // A timeout of 0 would mean none.
        var time = timeval(
            tv_sec: Int(seconds), tv_usec: max(Int(attoseconds / 1_000_000_000_000), seconds == 0 ? 1 : 0))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        _ = fcntl(descriptor, F_SETFL, 0)
    }

    /// Waits until bytes can be read, or the deadline.
    /// - Returns: whether the socket is ready (or has failed, which reading will tell).
    func waitToReceive(until deadline: MonotonicTime) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let count = Glibc.poll(&poll, 1, deadline.pollMilliseconds(from: .now()))
            if count != 0 && !(count < 0 && errno == EINTR) { return true }
            if count == 0 && MonotonicTime.now() >= deadline { return false }
        }
    }

    private static func transfer(_ call: () -> Int) -> Transfer {
        while true {
            let count = call()
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closedByPeer }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            // It closed without having read all, or its program died.
            case ECONNRESET, EPIPE: return .closedByPeer
            default: return .failed(errno)
            }
        }
    }

    /// Small frames leave at once, and a host that is gone is noticed.
    /// - Parameter unacknowledgedMax: the connection fails when sent bytes stay unacknowledged for so long. Only for
    ///   an end that sends little: a peer that computes and reads nothing for a while would look the same on an end
    ///   that sends much.
    func setOptions(unacknowledgedMax: Duration?) {
        set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(SOL_SOCKET, SO_KEEPALIVE, 1)
        // Heartbeats notice sooner; this is for the times in which a link does not listen.
        set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 15)
        set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5)
        set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
        if let unacknowledgedMax {
            let (seconds, attoseconds) = unacknowledgedMax.components
            set(
                Int32(IPPROTO_TCP), TCP_USER_TIMEOUT,
                Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
        }
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
