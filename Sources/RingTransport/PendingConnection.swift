// A connection that has been accepted but not yet handed on.

import Glibc
import Wire

/// Waits for a connection's first byte, or for a refused one's end.
struct PendingConnection {
    enum Outcome {
        case waiting
        case ring(AcceptedConnection)
        case foreign(AcceptedConnection, ForeignProtocol)
        case over
    }

    private enum Stage {
        case awaitsFirstByte(AcceptedConnection)
        /// An answer was sent; what still arrives is discarded, because closing with bytes unread would discard the
        /// answer.
        case refused(Socket)
    }

    let descriptor: Int32
    let deadline: MonotonicTime
    private let stage: Stage

    /// Waits for the first byte.
    init?(_ connection: AcceptedConnection, until deadline: MonotonicTime) {
        guard let descriptor = connection.descriptorInPlace else { return nil }
        (self.descriptor, self.deadline) = (descriptor, deadline)
        stage = .awaitsFirstByte(connection)
    }

    /// Waits for the end of a connection that was answered and refused.
    init(refused socket: Socket, until deadline: MonotonicTime) {
        (descriptor, self.deadline) = (socket.descriptor, deadline)
        stage = .refused(socket)
    }

    /// Looks at what has arrived, without reading it.
    func look() -> Outcome {
        switch stage {
        case .awaitsFirstByte(let connection):
            var first = [UInt8](repeating: 0, count: ForeignProtocol.bytesNeeded)
            let count = recv(descriptor, &first, first.count, Int32(MSG_PEEK | MSG_DONTWAIT))
            if count > 0 {
                let foreign = ForeignProtocol(firstBytes: first.prefix(count))
                return foreign.map { .foreign(connection, $0) } ?? .ring(connection)
            }
            return count < 0 && (errno == EAGAIN || errno == EINTR) ? .waiting : .over
        case .refused(let socket):
            return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { scratch in
                switch socket.receive(into: scratch) {
                case .bytes, .wouldBlock: .waiting
                case .closedByPeer, .failed: .over
                }
            }
        }
    }
}
