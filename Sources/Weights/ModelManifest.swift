// Bytes of each part of a model.

/// How many bytes of a checkpoint each layer, the embedding and the head take on disk, so that layers can be shared out
/// before anything is read.
public struct ModelManifest: Equatable, Sendable {
    /// By layer.
    public let layerBytes: [UInt64]
    public let embeddingBytes: UInt64
    /// The final norm and the output matrix. With a tied embedding the matrix is counted under ``embeddingBytes``
    /// alone.
    public let headBytes: UInt64

    /// - Parameters:
    ///   - layerPrefix: what the names of a layer's tensors begin with, final dot included.
    ///   - embeddingPrefixes: the same for the embedding.
    ///   - headPrefixes: the same for the final norm and the output matrix.
    public init(
        _ checkpoint: Checkpoint, layerCount: Int, layerPrefix: (Int) -> String, embeddingPrefixes: [String],
        headPrefixes: [String]
    ) {
        func bytes(_ prefixes: [String]) -> UInt64 {
            UInt64(LayerPlan(checkpoint, prefixes: prefixes).storedByteCount)
        }
        layerBytes = (0..<max(layerCount, 0)).map { bytes([layerPrefix($0)]) }
        embeddingBytes = bytes(embeddingPrefixes)
        headBytes = bytes(headPrefixes)
    }
}
