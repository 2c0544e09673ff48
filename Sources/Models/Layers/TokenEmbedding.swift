// From token ids to the first hidden states.

public import Tensors
internal import Weights

/// A row of hidden values for each token of the vocabulary.
public struct TokenEmbedding: Sendable {
    private let matrix: Matrix
    /// What rows are multiplied by.
    private let scale: Float
    // The memory that the matrix points into, kept alive.
    private let weights: LayerWeights

    /// Reads the matrix of module `name`, `[vocabularySize, hiddenSize]`.
    init(
        _ reader: WeightReader, _ name: String, vocabularySize: Int, hiddenSize: Int, scale: Float = 1
    ) throws(CheckpointError) {
        self.scale = scale
        matrix = try reader.matrix(name, outputs: vocabularySize, inputs: hiddenSize)
        weights = reader.weights
    }

    /// Fills `hidden`, `[ids, hiddenSize]`, with the rows of `ids`.
    /// - Throws: when an id is not of the vocabulary.
    public func callAsFunction(_ ids: [UInt32], into hidden: Tensor) throws(TokenError) {
        if let stranger = ids.first(where: { Int($0) >= matrix.outputs }) {
            throw TokenError(id: stranger, vocabularySize: matrix.outputs)
        }
        ids.withUnsafeBufferPointer { matrix.gatherRows($0, into: hidden) }
        if scale != 1 { hidden.scale(by: scale) }
    }
}

/// A token id past the end of the vocabulary.
public struct TokenError: Error, Equatable, CustomStringConvertible {
    public let id: UInt32
    public let vocabularySize: Int

    public var description: String {
        "token \(id) is not in the model's vocabulary, whose ids are 0 to \(vocabularySize - 1)"
    }
}
