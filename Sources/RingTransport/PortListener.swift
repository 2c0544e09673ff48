// Listens on a port and tells the ring's connections from others by their first byte.

public import Logging
public import Wire

/// A listening port. Its own thread accepts, waits for the first byte of each connection without holding up others,
/// and hands the connection on unread.
public final class PortListener: Sendable {
    /// The address bound, with the port the system chose where 0 was asked for.
    public let address: RingAddress

    /// Binds and listens; connections are served after ``start()``.
    /// - Parameters:
    ///   - onRing: takes a connection that begins as the ring's do; called on the listener's thread, must not block.
    ///   - onForeign: takes a connection that begins otherwise; called likewise. Without it, one line is logged and
    ///     the connection is answered with an HTTP error that says what this port is for.
    /// - Throws: ``ListenError`` that says which address cannot be bound and why.
    public init(
        on address: RingAddress, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onRing: @escaping @Sendable (AcceptedConnection) -> Void,
        onForeign: (@Sendable (AcceptedConnection, ForeignProtocol) -> Void)? = nil
    ) throws(ListenError) {
        self.address = address
    }

    /// Begins to accept connections.
    public func start() {
    }

    /// Stops listening, closes connections not yet handed on, and returns when the thread has ended. May be called
    /// more than once.
    public func close() {
    }
}

/// Why a port cannot be listened on.
public enum ListenError: Error, Equatable, Sendable {
    case inUse(RingAddress)
    case notAllowed(RingAddress)
    case notHere(RingAddress)
    case unresolvable(RingAddress, reason: String)
    case system(RingAddress, operation: String, code: Int32)
}

extension ListenError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inUse(let address):
            "port \(address.port) on \(address.host) is in use; stop the program that holds it (ss -ltnp shows it) or choose another port"
        case .notAllowed(let address):
            "port \(address.port) on \(address.host) may not be opened by this user; choose a port above 1023"
        case .notHere(let address):
            "\(address.host) is not an address of this machine; use 0.0.0.0 for all of them"
        case .unresolvable(let address, let reason):
            "cannot find the address of \(address.host): \(reason)"
        case .system(let address, let operation, let code):
            "cannot listen on \(address): \(operation): \(SystemError.text(code))"
        }
    }
}
