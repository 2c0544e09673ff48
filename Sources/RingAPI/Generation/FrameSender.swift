// Where the coordinator's frames go, whatever carries them.

public import Wire

/// Sends frames to the first shard.
public protocol FrameSender: Sendable {
    /// Sends a frame; frames arrive in the order of the calls, which come one at a time from any thread.
    /// - Throws: ``UnsendableFrame`` when the frame itself is at fault; any other error means that the connection is.
    func send(_ frame: Frame) throws

    /// Why the first shard cannot be reached at this moment, as the latest attempt said; `nil` when it can or nobody
    /// knows.
    var obstacle: String? { get }
}

/// A frame that breaks a limit of the wire, on whatever connection.
public struct UnsendableFrame: Error, Equatable, Sendable {
    public var reason: String

    public init(reason: String) {
        self.reason = reason
    }
}
