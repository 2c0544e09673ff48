// Why a link cannot carry a frame.

public import Wire

/// Why a link is down, or why a frame cannot go over it.
public enum LinkError: Error, Equatable, Sendable {
    /// The neighbor could not be reached; `reason` is what the last attempt said.
    case notConnected(address: String, reason: String)
    /// A system call failed.
    case system(operation: String, code: Int32)
    /// The peer closed the connection.
    case closedByPeer
    /// Nothing was heard from the peer for this long.
    case silent(Duration)
    /// The peer did not introduce itself in time.
    case noHello
    /// The peer speaks another version of the protocol.
    case versionMismatch(peer: String, theirs: UInt32, ours: UInt32)
    /// What arrived is not a frame, or a frame to send breaks a limit.
    case wire(WireError)
    /// A frame that must not travel in this direction or at this time.
    case outOfPlace(String)
    /// The queue was full for this long.
    case congested(Duration)
    /// The link was closed on this side.
    case closed
}

extension LinkError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notConnected(let address, let reason): "\(address) is not connected: \(reason)"
        case .system(let operation, let code): "\(operation): \(SystemError.text(code))"
        case .closedByPeer: "the peer closed the connection"
        case .silent(let duration): "nothing was heard for \(duration.inSeconds) s; the peer or the network hangs"
        case .noHello: "the peer did not introduce itself in time; is it a daemon of the ring?"
        case .versionMismatch(let peer, let theirs, let ours):
            "\(peer) speaks version \(theirs) of the ring's protocol, this daemon version \(ours); "
                + "run the same release everywhere"
        case .wire(let error): error.description
        case .outOfPlace(let what): what
        case .congested(let duration):
            "the queue was full for \(duration.inSeconds) s; the next daemon takes frames too slowly"
        case .closed: "the link was closed"
        }
    }
}
