// What can go wrong with tensors while a step is computed.

public enum TensorError: Error, Equatable, CustomStringConvertible {
    /// A step needs more working memory than its arena may take.
    case arenaFull(requestedBytes: Int, usedBytes: Int, bytesMax: Int)
    /// The system has no memory left for a chunk of an arena.
    case outOfMemory(requestedBytes: Int)

    public var description: String {
        switch self {
        case .arenaFull(let requestedBytes, let usedBytes, let bytesMax):
            "this step needs \(requestedBytes) bytes of working memory beside the \(usedBytes) in use, but at most "
                + "\(bytesMax) are allowed; send fewer tokens in a step or allow more working memory"
        case .outOfMemory(let requestedBytes):
            "the system has no \(requestedBytes) bytes left for working memory"
        }
    }
}
