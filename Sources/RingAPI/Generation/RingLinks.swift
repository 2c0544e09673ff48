// The coordinator's connections: one to the first shard, those from the last.

public import Logging
public import RingTransport
public import Wire

/// Carries frames between a ``RingCoordinator`` and the ring.
public final class RingLinks: Sendable {
    private let coordinator: RingCoordinator
    private let outgoing: OutgoingLink
    private let inbound: InboundLinks

    /// - Parameters:
    ///   - firstShard: to be dialed.
    ///   - hello: how the API introduces itself.
    public init(
        _ coordinator: RingCoordinator, to firstShard: LinkTarget, as hello: Hello,
        configuration: LinkConfiguration = LinkConfiguration(), logger: Logger
    ) {
        self.coordinator = coordinator
        outgoing = OutgoingLink(
            to: firstShard, as: hello, configuration: configuration, logger: logger,
            onFailure: { coordinator.receiveBackward($0) },
            onStateChange: { state in
                switch state {
                case .connected: coordinator.outgoingConnected()
                case .disconnected(let error): coordinator.outgoingLost(reason: error.description)
                }
            })
        inbound = InboundLinks(
            as: hello, configuration: configuration, logger: logger,
            onFrame: { frame, link in coordinator.receive(frame, on: Self.number(of: link)) },
            onStateChange: { state, link in
                switch state {
                case .connected: coordinator.inboundConnected(Self.number(of: link))
                case .disconnected(let error):
                    coordinator.inboundLost(Self.number(of: link), reason: error.description)
                }
            })
        coordinator.connect(through: self)
    }

    /// Begins to dial the first shard.
    /// - Throws: ``RingTransport/LinkError`` when the system has no thread or descriptor left.
    public func start() throws(LinkError) {
        try outgoing.start()
    }

    /// Dials the first shard at once, where it is dialed again and again with pauses.
    public func dialNow() {
        outgoing.dialNow()
    }

    /// Takes over a connection that a shard opened; made for ``RingTransport/PortListener``'s `onRing`.
    public func accept(_ connection: AcceptedConnection) {
        inbound.accept(connection)
    }

    /// Ends every connection; returns when their threads have ended.
    public func close() {
        outgoing.close()
        inbound.close()
    }

    /// A link is told from others by its identity, which is its own for as long as it is connected.
    private static func number(of link: InboundLink) -> UInt64 {
        UInt64(UInt(bitPattern: ObjectIdentifier(link)))
    }
}

extension RingLinks: FrameSender {
    public func send(_ frame: Frame) throws {
        do {
            try outgoing.send(frame)
        } catch .wire(let error) {
            throw UnsendableFrame(reason: error.description)
        }
    }

    public var obstacle: String? {
        if case .disconnected(let error) = outgoing.state { error.description } else { nil }
    }
}
