// A connection that someone opened to this daemon, before anyone has read from it.

import Glibc
import Synchronization

/// Owns the descriptor of a connection until someone takes it; closes it if nobody does.
public final class AcceptedConnection: Sendable {
    /// `host:port` of the other end.
    public let peerAddress: String
    private let descriptor: Mutex<Int32?>

    init(descriptor: Int32, peerAddress: String) {
        self.peerAddress = peerAddress
        self.descriptor = Mutex(descriptor)
    }

    /// Hands the descriptor (nonblocking, close-on-exec, nothing read from it) to the caller, who closes it from now
    /// on; `nil` after the first call.
    public func takeDescriptor() -> Int32? {
        descriptor.withLock { held in
            defer { held = nil }
            return held
        }
    }

    /// The descriptor as long as nobody has taken it.
    var descriptorInPlace: Int32? { descriptor.withLock { $0 } }

    /// Closes the connection unless its descriptor was taken.
    public func close() {
        if let descriptor = takeDescriptor() { _ = Glibc.close(descriptor) }
    }

    deinit { close() }
}
