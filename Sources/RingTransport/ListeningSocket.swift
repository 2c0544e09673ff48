// A socket that accepts connections.

import Glibc

/// A bound socket that listens; nonblocking.
final class ListeningSocket: Sendable {
    /// Connections that wait to be accepted: more than a ring's neighbors and a burst of requests.
    private static let backlog: Int32 = 128

    let descriptor: Int32
    /// The address bound, with the port that the system chose where 0 was asked for.
    let address: RingAddress

    init(on address: RingAddress) throws(ListenError) {
        let candidates: [SocketAddress]
        do throws(LinkError) {
            candidates = try SocketAddress.resolve(address, toListen: true)
        } catch {
            guard case .notConnected(_, let reason) = error else {
                throw .unresolvable(address, reason: error.description)
            }
            throw .unresolvable(address, reason: reason)
        }
        guard let candidate = candidates.first else { throw .unresolvable(address, reason: "it has no address") }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(candidate.family, kind, 0)
        guard descriptor >= 0 else { throw .system(address, operation: "making a socket", code: errno) }
        do throws(ListenError) {
            self.address = try Self.listen(descriptor, on: candidate, for: address)
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
    }

    deinit { _ = Glibc.close(descriptor) }

    private static func listen(
        _ descriptor: Int32, on candidate: SocketAddress, for address: RingAddress
    ) throws(ListenError) -> RingAddress {
        // A daemon that restarts gets its port back although connections of its former life linger.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard candidate.withPointer({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            switch errno {
            case EADDRINUSE: throw .inUse(address)
            case EACCES: throw .notAllowed(address)
            case EADDRNOTAVAIL: throw .notHere(address)
            default: throw .system(address, operation: "binding", code: errno)
            }
        }
        var bound = SocketAddress()
        guard bound.withMutablePointer({ getsockname(descriptor, $0, $1) }) == 0 else {
            throw .system(address, operation: "reading the port bound", code: errno)
        }
        return RingAddress(host: address.host, port: bound.numeric.port)
    }

    enum Accepted {
        case connection(AcceptedConnection)
        /// None waits now.
        case none
        /// The system has no descriptor or memory left for one.
        case failed(Int32)
    }

    /// Takes a connection that waits.
    func accept() -> Accepted {
        while true {
            var peer = SocketAddress()
            let accepted = peer.withMutablePointer { Glibc.accept(descriptor, $0, $1) }
            if accepted >= 0 {
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
                return .connection(AcceptedConnection(descriptor: accepted, peerAddress: peer.numeric.description))
            }
            switch errno {
            case EAGAIN: return .none
            // The connection went away while it waited, or the network had an error meant for it; the next may be well.
            case EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT:
                continue
            default: return .failed(errno)
            }
        }
    }
}
