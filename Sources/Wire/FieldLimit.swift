// The bounds of single fields, each stated once for both directions.

import Glibc

/// How many entries or bytes a field may have: checked on the C structs before anything of that size is built, and on
/// values before they are packed.
struct CountLimit: Sendable {
    let message: StaticString
    let field: StaticString
    let max: Int

    init(_ message: StaticString, _ field: StaticString, _ max: Int) {
        (self.message, self.field, self.max) = (message, field, max)
    }

    static let helloName = CountLimit("Hello", "name", WireLimits.nameBytesMax)
    static let helloSoftwareVersion = CountLimit("Hello", "softwareVersion", WireLimits.nameBytesMax)
    static let probeShards = CountLimit("Probe", "shards", WireLimits.shardsMax)
    static let shardName = CountLimit("ShardDescription", "name", WireLimits.nameBytesMax)
    static let shardSoftwareVersion = CountLimit("ShardDescription", "softwareVersion", WireLimits.nameBytesMax)
    static let shardAddress = CountLimit("ShardDescription", "address", WireLimits.nameBytesMax)
    static let shardNextAddress = CountLimit("ShardDescription", "nextAddress", WireLimits.nameBytesMax)
    static let shardInstructionSet = CountLimit("ShardDescription", "instructionSet", WireLimits.nameBytesMax)
    static let shardFingerprint = CountLimit("ShardDescription", "modelFingerprint", WireLimits.fingerprintBytes)
    static let shardLayers = CountLimit("ShardDescription", "layers", WireLimits.layersMax)
    static let beginFingerprint = CountLimit("Begin", "modelFingerprint", WireLimits.fingerprintBytes)
    static let stepRuns = CountLimit("Step", "runs", WireLimits.stepRunsMax)
    static let runTokens = CountLimit("SequenceRun", "tokens", WireLimits.stepRowsMax)
    static let logitBias = CountLimit("Sampling", "logitBias", WireLimits.logitBiasMax)
    static let bannedTokens = CountLimit("Sampling", "bannedTokens", WireLimits.bannedTokensMax)
    static let resultRuns = CountLimit("StepResult", "runs", WireLimits.stepRunsMax)
    static let resultSampled = CountLimit("RunResult", "sampled", WireLimits.draftsMax + 1)
    static let resultPrompt = CountLimit("RunResult", "prompt", WireLimits.stepRowsMax)
    static let choiceTop = CountLimit("TokenChoice", "top", WireLimits.topLogprobsMax)
    static let forgetSequences = CountLimit("Forget", "sequenceIDs", WireLimits.forgetSequencesMax)
    static let failureReason = CountLimit("Failure", "reason", WireLimits.reasonBytesMax)
    static let failureShard = CountLimit("Failure", "shard", WireLimits.nameBytesMax)

    func check(_ count: Int) throws(WireError) {
        guard count <= max else {
            throw .field(message: "\(message)", field: "\(field)", found: "\(count) long", allowed: "at most \(max)")
        }
    }

    /// Reads a C string of at most `max` bytes.
    func text(_ pointer: UnsafePointer<CChar>?) throws(WireError) -> String {
        guard let pointer else { return "" }
        try check(strnlen(pointer, WireLimits.frameBytesMax))
        guard let text = String(validatingCString: pointer) else {
            throw .field(message: "\(message)", field: "\(field)", found: "not UTF-8", allowed: "text in UTF-8")
        }
        return text
    }
}

/// Bounds of values.
enum ValueLimit {
    /// Throws unless `value` lies in `range`; a NaN lies in none.
    static func check<Value: Comparable>(
        _ value: Value, in range: ClosedRange<Value>, _ message: StaticString, _ field: StaticString
    ) throws(WireError) {
        guard range.contains(value) else {
            throw .field(
                message: "\(message)", field: "\(field)", found: "\(value)",
                allowed: "\(range.lowerBound) to \(range.upperBound)")
        }
    }

    static func check(hops: UInt32, _ message: StaticString) throws(WireError) {
        try check(hops, in: 0...WireLimits.hopsMax, message, "hops")
    }

    /// Throws for a NaN or an infinity.
    static func check(finite value: Float, _ message: StaticString, _ field: StaticString) throws(WireError) {
        try check(value, in: -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude, message, field)
    }

    /// Throws unless `value` can be the logarithm of a probability; rounding may leave it just above 0.
    static func check(logprob value: Float, _ message: StaticString) throws(WireError) {
        try check(value, in: -Float.infinity...1, message, "logprob")
    }
}
