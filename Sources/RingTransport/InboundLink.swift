// A link from the daemon before this one in the ring.

public import Logging
public import Wire

/// Reads frames from a connection that a neighbor opened and delivers them on its own thread.
///
/// Ends with its connection: the neighbor dials again and a new link takes its place.
public final class InboundLink: Sendable {
    /// `host:port` of the other end.
    public var peerAddress: String { "" }

    /// The neighbor's introduction once it has come.
    public var peer: Hello? { nil }

    /// - Parameters:
    ///   - hello: how this daemon introduces itself.
    ///   - onFrame: takes each frame but hellos and heartbeats, in order, on the link's thread: the next is read when
    ///     it returns.
    ///   - onStateChange: called on the link's thread: at most once `connected`, then once `disconnected`.
    public init(
        _ connection: AcceptedConnection, as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onFrame: @escaping @Sendable (Frame, InboundLink) -> Void,
        onStateChange: @escaping @Sendable (LinkState, InboundLink) -> Void = { _, _ in }
    ) {
    }

    /// Begins to read.
    public func start() {
    }

    /// Sends a failure backward to the neighbor. Thread-safe.
    /// - Throws: ``LinkError`` when the neighbor is gone.
    public func sendBackward(_ failure: Failure) throws(LinkError) {
        throw .closed
    }

    /// Ends the link; returns when its threads have ended, or at once when called from the link's own callbacks.
    public func close() {
    }
}
