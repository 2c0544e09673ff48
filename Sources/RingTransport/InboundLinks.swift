// The links from all daemons that dial this one.

public import Logging
public import Wire

/// Keeps the inbound links of a daemon: usually one; two when a closed ring leads further rounds straight back to its
/// first shard.
///
/// A neighbor whose connection broke dials again; its older link ends by itself when it notices.
public final class InboundLinks: Sendable {
    private struct Status {
        var links: [ObjectIdentifier: InboundLink] = [:]
        var isClosed = false
    }

    /// Links at a time, so that strangers cannot exhaust threads: one a shard of the largest ring.
    public static let linksMax = WireLimits.shardsMax

    private let hello: Hello
    private let configuration: LinkConfiguration
    private let logger: Logger
    private let onFrame: @Sendable (Frame, InboundLink) -> Void
    private let onStateChange: @Sendable (LinkState, InboundLink) -> Void
    private let status = Monitor(Status())

    /// - Parameters:
    ///   - onFrame: takes each frame with the link it came by, on a thread of that link; links do not wait for each
    ///     other.
    ///   - onStateChange: called on a thread of the link: at most once `connected`, then once `disconnected`.
    public init(
        as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onFrame: @escaping @Sendable (Frame, InboundLink) -> Void,
        onStateChange: @escaping @Sendable (LinkState, InboundLink) -> Void = { _, _ in }
    ) {
        self.hello = hello
        self.configuration = configuration
        self.logger = logger
        self.onFrame = onFrame
        self.onStateChange = onStateChange
    }

    /// Starts a link over a connection; made for ``PortListener``'s `onRing`.
    public func accept(_ connection: AcceptedConnection) {
        let link = InboundLink(
            connection, as: hello, configuration: configuration, logger: logger, onFrame: onFrame
        ) { [self] state, link in
            if case .disconnected = state { status.withLock { $0.links[ObjectIdentifier(link)] = nil } }
            onStateChange(state, link)
        }
        let isKept = status.withLock { status in
            guard !status.isClosed, status.links.count < Self.linksMax else { return false }
            status.links[ObjectIdentifier(link)] = link
            return true
        }
        guard isKept else {
            logger.warning("refused the connection from \(connection.peerAddress): \(Self.linksMax) links are open")
            return connection.close()
        }
        do throws(LinkError) {
            try link.start()
        } catch {
            status.withLock { $0.links[ObjectIdentifier(link)] = nil }
            logger.error("refused the connection from \(connection.peerAddress): \(error)")
        }
    }

    /// The neighbors connected now.
    public var peers: [Hello] { status.withLock { Array($0.links.values) }.compactMap(\.peer) }

    /// Sends a failure backward to every neighbor that can be reached.
    public func sendBackward(_ failure: Failure) {
        for link in status.withLock({ Array($0.links.values) }) where link.peer != nil {
            do throws(LinkError) {
                try link.sendBackward(failure)
            } catch {
                logger.debug("a failure could not be sent to \(link.peerAddress): \(error)")
            }
        }
    }

    /// Ends every link and refuses new ones; returns when all their threads have ended. Not to be called from their
    /// callbacks, which would wait for each other.
    public func close() {
        let links = status.withLock { status in
            status.isClosed = true
            return Array(status.links.values)
        }
        for link in links { link.close() }
    }
}
