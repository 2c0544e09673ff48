// Whether a frame keeps the limits, whichever way it goes.

extension Frame {
    /// Throws where a value, count or length of the message or its payload is out of bounds.
    func validate() throws(WireError) {
        switch message {
        case .hello(let hello): try hello.validate()
        case .heartbeat(let heartbeat): heartbeat.validate()
        case .probe(let probe): try probe.validate()
        case .begin(let begin): try begin.validate()
        case .step(let step):
            try step.validate()
            return try step.validate(payloadBytes: payload.count)
        case .result(let result): try result.validate()
        case .forget(let forget): try forget.validate()
        case .failure(let failure): try failure.validate()
        }
        guard payload.isEmpty else {
            throw .field(
                message: "Frame", field: "payload", found: "\(payload.count) bytes", allowed: "none, except with a Step"
            )
        }
    }
}
