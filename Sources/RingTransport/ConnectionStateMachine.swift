// Which frames may travel over a connection, and when.

import Wire

/// The legality of what arrives on one end of a connection; does no input or output.
struct ConnectionStateMachine: Sendable {
    enum Side: Sendable {
        /// The end that connected: what arrives here travels backward.
        case dialing
        /// The end that accepted: what arrives here travels forward.
        case accepting
    }

    /// What a frame that arrived means.
    enum Event: Equatable, Sendable {
        case introduced(Hello)
        case heartbeat
        /// A message for the link's owner.
        case message
    }

    private let side: Side
    private let ours: Hello
    /// The peer's introduction once it has come.
    private(set) var peer: Hello?

    init(_ side: Side, ours: Hello) {
        self.side = side
        self.ours = ours
    }

    /// Bytes that the next frame's message may have.
    var messageBytesMax: Int { peer == nil ? WireLimits.helloBytesMax : WireLimits.frameBytesMax }

    /// Judges a message that arrived.
    /// - Throws: ``LinkError/versionMismatch(peer:theirs:ours:)`` or ``LinkError/outOfPlace(_:)``; the connection is
    ///   over then.
    mutating func received(_ message: Message) throws(LinkError) -> Event {
        guard peer != nil else {
            guard case .hello(let hello) = message else {
                throw .outOfPlace("the first frame is a \(message.kind), where a Hello belongs")
            }
            guard hello.protocolVersion == ours.protocolVersion else {
                throw .versionMismatch(peer: hello.name, theirs: hello.protocolVersion, ours: ours.protocolVersion)
            }
            peer = hello
            return .introduced(hello)
        }
        switch (message, side) {
        case (.heartbeat, _): return .heartbeat
        case (.hello, _): throw .outOfPlace("a second Hello arrived")
        case (.failure, _), (_, .accepting): return .message
        case (_, .dialing):
            throw .outOfPlace("a \(message.kind) arrived backward, where only a Failure or a Heartbeat may")
        }
    }
}

extension Message {
    /// The message's name in proto/ring.proto.
    var kind: String {
        switch self {
        case .hello: "Hello"
        case .heartbeat: "Heartbeat"
        case .probe: "Probe"
        case .begin: "Begin"
        case .step: "Step"
        case .result: "StepResult"
        case .forget: "Forget"
        case .failure: "Failure"
        }
    }
}
