// The links from all daemons that dial this one.

public import Logging
public import Wire

/// Keeps the inbound links of a daemon: usually one; two when a closed ring leads further rounds straight back to its
/// first shard.
///
/// A neighbor that dials again replaces its older link, which may not know yet that it is dead.
public final class InboundLinks: Sendable {
    /// Links at a time, so that strangers cannot exhaust threads: one a shard of the largest ring.
    public static let linksMax = WireLimits.shardsMax

    /// - Parameters:
    ///   - onFrame: takes each frame with the link it came by, on that link's thread; links do not wait for each other.
    ///   - onStateChange: called on the link's thread: at most once `connected`, then once `disconnected`.
    public init(
        as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onFrame: @escaping @Sendable (Frame, InboundLink) -> Void,
        onStateChange: @escaping @Sendable (LinkState, InboundLink) -> Void = { _, _ in }
    ) {
    }

    /// Starts a link over a connection; made for ``PortListener``'s `onRing`.
    public func accept(_ connection: AcceptedConnection) {
    }

    /// The neighbors connected now.
    public var peers: [Hello] { [] }

    /// Sends a failure backward to every neighbor that can be reached.
    public func sendBackward(_ failure: Failure) {
    }

    /// Ends every link and refuses new ones; returns when all their threads have ended.
    public func close() {
    }
}
