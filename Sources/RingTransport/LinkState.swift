// What a link tells its owner about itself.

public import Wire

/// Whether a link can carry frames.
public enum LinkState: Equatable, Sendable {
    /// No connection; the error says why. An ``OutgoingLink`` keeps dialing, an ``InboundLink`` is over.
    case disconnected(LinkError)
    /// Connected to the daemon that introduced itself so.
    case connected(Hello)

    /// The peer's introduction while connected.
    public var peer: Hello? {
        if case .connected(let hello) = self { hello } else { nil }
    }
}
