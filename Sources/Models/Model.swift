// What a model family gives: sizes, names of tensors, and layers built from weights.

public import Tensors
public import Weights

/// A model of some family, as config.json describes it. It holds no weights: it says which tensors a part needs and
/// builds the part from them.
///
/// Another family is one file with a type that conforms, and a line in ``ModelRegistry``.
public protocol Model: Sendable {
    /// The `model_type`s of config.json that it reads.
    static var modelTypes: [String] { get }

    /// - Throws: when a field is missing or out of its limits, or asks for what the family does not do.
    init(_ config: ModelConfig) throws(ConfigError)

    var shape: ModelShape { get }
    /// The rotary embeddings that its layers use; a step computes the angles of each once.
    var rotaryEmbeddings: [RotaryEmbedding] { get }

    /// What the names of a layer's tensors begin with, final dot included.
    func layerPrefix(_ index: Int) -> String
    /// The same for the token embedding.
    var embeddingPrefixes: [String] { get }
    /// The same for the final norm and the output matrix, without ``embeddingPrefixes`` where that is the embedding.
    var headPrefixes: [String] { get }
    /// Whether the output matrix is the embedding's.
    var tiesEmbedding: Bool { get }

    // Building a part stores addresses and compares shapes but reads no weights, so that it serves to check metadata
    // too.

    /// - Parameter weights: those of ``layerPlan(_:of:)``.
    func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer
    /// - Parameter weights: those of ``endsPlan(embedding:head:of:)``.
    func makeEmbedding(_ weights: LayerWeights) throws(CheckpointError) -> TokenEmbedding
    /// - Parameter weights: those of ``endsPlan(embedding:head:of:)``.
    func makeHead(_ weights: LayerWeights) throws(CheckpointError) -> OutputHead
}

/// The sizes of a model.
public struct ModelShape: Sendable, Equatable {
    /// Columns of the residual stream.
    public var hiddenSize: Int
    public var vocabularySize: Int
    /// Most tokens of a sequence.
    public var contextTokensMax: Int
    /// What each layer keeps of a token.
    public var caches: [CacheShape]
    /// Columns of a row that a layer computes with beside the outputs of its matrices.
    public var workingColumns = 0

    public init(hiddenSize: Int, vocabularySize: Int, contextTokensMax: Int, caches: [CacheShape]) {
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextTokensMax = contextTokensMax
        self.caches = caches
    }

    public var layerCount: Int { caches.count }

    /// Bytes that a token takes in the caches of all layers.
    public func cacheBytesPerToken(as type: CacheType) -> Int {
        caches.reduce(0) { $0 + $1.bytesPerToken(as: type) }
    }
}

/// One layer of a model, with its weights.
public protocol DecoderLayer: Sendable {
    /// The memory that its parts point into, kept alive.
    var weights: LayerWeights { get }

    /// What the layer makes of the residual stream `x`, `[row, hidden]`, as a new tensor. The caches of the step's
    /// sequences grow by its rows.
    /// - Throws: when working memory is at its limit or another rank cannot be reached.
    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor
}

extension Model {
    /// The tensors of a layer.
    public func layerPlan(_ index: Int, of checkpoint: Checkpoint) -> LayerPlan {
        LayerPlan(checkpoint, prefix: layerPrefix(index))
    }

    /// The tensors of the embedding, of the head, or of both, each once where they share a matrix.
    public func endsPlan(embedding: Bool, head: Bool, of checkpoint: Checkpoint) -> LayerPlan {
        var prefixes: [String] = []
        if embedding || head && tiesEmbedding { prefixes += embeddingPrefixes }
        if head { prefixes += headPrefixes }
        return LayerPlan(checkpoint, prefixes: prefixes)
    }

    /// Bytes of each part.
    public func manifest(of checkpoint: Checkpoint) -> ModelManifest {
        ModelManifest(
            checkpoint, layerCount: shape.layerCount, layerPrefix: layerPrefix, embeddingPrefixes: embeddingPrefixes,
            headPrefixes: headPrefixes)
    }

    /// Checks, without reading weights, that parts can be built: every tensor is there, in a shape and format that can
    /// be computed with.
    /// - Throws: naming the first tensor that cannot be used.
    public func check(
        _ checkpoint: Checkpoint, layers: some Sequence<Int>, embedding: Bool, head: Bool
    ) throws(CheckpointError) {
        for index in layers { _ = try makeLayer(index, LayerWeights(dry: layerPlan(index, of: checkpoint))) }
        let ends = LayerWeights(dry: endsPlan(embedding: embedding, head: head, of: checkpoint))
        if embedding { _ = try makeEmbedding(ends) }
        if head { _ = try makeHead(ends) }
    }
}
