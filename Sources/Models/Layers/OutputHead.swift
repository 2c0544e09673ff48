// From the last hidden states to logits.

public import Tensors
internal import Weights

/// The final norm and the product with the output matrix, or with the embedding where they are tied.
public struct OutputHead: Sendable {
    private let norm: RMSNorm
    private let projection: Linear
    // The memory that its parts point into, kept alive.
    private let weights: LayerWeights

    /// Reads the norm and the matrix `[vocabularySize, hiddenSize]` of the modules named.
    init(
        _ reader: WeightReader, norm: String, projection: String, vocabularySize: Int, hiddenSize: Int, epsilon: Float,
        normOffset: Float = 0
    ) throws(CheckpointError) {
        self.norm = try reader.norm(norm, size: hiddenSize, epsilon: epsilon, offset: normOffset)
        self.projection = try reader.linear(projection, inputs: hiddenSize, outputs: vocabularySize)
        weights = reader.weights
    }

    /// Logits `[rows, vocabulary]` of some rows of a step, in the order named; the others cost nothing.
    /// - Parameter hidden: the residual stream after the last layer, `[row, hidden]`.
    public func logits(_ hidden: Tensor, rows: [Int]) throws(TensorError) -> Tensor {
        try projection(norm(hidden.gathering(rows: rows)))
    }
}
