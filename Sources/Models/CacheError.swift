// Why a sequence's cache cannot take a step.

public enum CacheError: Error, Equatable, CustomStringConvertible {
    /// The caches of all sequences have reached their limit.
    case full(requestedBytes: Int, usedBytes: Int, bytesMax: Int)
    /// The system has no memory left for a block.
    case outOfMemory(requestedBytes: Int)
    /// Tokens do not follow those a layer has.
    case positionGap(layer: Int, position: Int, cached: Int)
    /// A sequence would grow past what the model was made for.
    case contextExceeded(tokens: Int, tokensMax: Int)

    public var description: String {
        switch self {
        case .full(let requestedBytes, let usedBytes, let bytesMax):
            "the key/value caches hold \(usedBytes) of at most \(bytesMax) bytes and this step needs \(requestedBytes) "
                + "more; wait for other sequences to end, shorten the conversation or allow more cache memory"
        case .outOfMemory(let requestedBytes):
            "the system has no \(requestedBytes) bytes left for key/value caches"
        case .positionGap(let layer, let position, let cached):
            "the step continues a sequence at position \(position), but layer \(layer) has \(cached) of its tokens"
        case .contextExceeded(let tokens, let tokensMax):
            "\(tokens) tokens are more than the model's context of \(tokensMax)"
        }
    }
}
