// The link to the next daemon of the ring.

public import Logging
public import Wire

/// Dials the next daemon for ever, whichever starts first, and carries frames forward to it.
///
/// A lost connection is dialed again with growing delays. Only failures come backward over it; heartbeats are the
/// link's own affair.
public final class OutgoingLink: Sendable {
    /// The next daemon's address.
    public let address: RingAddress

    /// - Parameters:
    ///   - hello: how this daemon introduces itself.
    ///   - onFailure: takes a failure that came backward; called on the link's thread.
    ///   - onStateChange: called on the link's thread at each change of ``state``, in order.
    public init(
        to address: RingAddress, as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onFailure: @escaping @Sendable (Failure) -> Void,
        onStateChange: @escaping @Sendable (LinkState) -> Void = { _ in }
    ) {
        self.address = address
    }

    /// Whether frames can be sent now, and to whom or why not.
    public var state: LinkState { .disconnected(.closed) }

    /// Begins to dial.
    public func start() {
    }

    /// Sends a frame forward. Thread-safe; frames of one thread arrive in the order sent.
    ///
    /// Returns when the frame is with the system or in the link's queue. Whether it arrives is known only by what
    /// comes back.
    /// - Throws: ``LinkError/notConnected(address:reason:)`` at once while there is no connection,
    ///   ``LinkError/congested(_:)`` when the queue stays full, ``LinkError/wire(_:)`` when the frame breaks a limit.
    public func send(_ frame: Frame) throws(LinkError) {
        throw .closed
    }

    /// Ends the link and returns when its threads have ended. May be called more than once, but not from the link's
    /// own callbacks.
    public func close() {
    }
}
