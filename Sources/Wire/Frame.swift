// What crosses a connection; proto/ring.proto says what each field is for.

/// One message with its payload, as it crosses a connection.
public struct Frame: Equatable, Sendable {
    public var message: Message
    /// Activations of a ``Step``, row-major `[row, hidden]` in the epoch's ``ActivationFormat``; empty for every
    /// other message.
    public var payload: [UInt8]

    public init(_ message: Message, payload: [UInt8] = []) {
        self.message = message
        self.payload = payload
    }
}

/// What a frame says.
public enum Message: Equatable, Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    case probe(Probe)
    case begin(Begin)
    case step(Step)
    case result(StepResult)
    case forget(Forget)
    case failure(Failure)
}
