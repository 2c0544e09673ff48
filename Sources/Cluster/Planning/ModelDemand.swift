// What a model asks of the machines that share it.

/// One decoder layer.
public struct LayerDemand: Equatable, Sendable {
    /// Bytes in memory while the layer is resident, and bytes read from disk when it is not.
    public var weightBytes: Int
    /// Bytes of weights that one token passes through: less than ``weightBytes`` when only a few experts of many are
    /// used.
    public var activeBytes: Int
    /// Multiplications and additions that one token takes in the layer.
    public var operations: Double
    /// Keys and values of one token.
    public var cacheBytesPerToken: Int

    public init(weightBytes: Int, activeBytes: Int, operations: Double, cacheBytesPerToken: Int) {
        self.weightBytes = weightBytes
        self.activeBytes = activeBytes
        self.operations = operations
        self.cacheBytesPerToken = cacheBytesPerToken
    }
}

/// A model, and the load it is planned for.
public struct ModelDemand: Equatable, Sendable {
    /// First layer first; at least one.
    public var layers: [LayerDemand]
    /// Weights that the shard of the first layer holds besides.
    public var embeddingBytes: Int
    /// Weights that the shard of the last layer holds besides, and reads for every step.
    public var headBytes: Int
    /// Multiplications and additions that the logits of one token take.
    public var headOperations: Double
    /// Whether head and embedding are the same weights: a shard with both holds them once.
    public var isHeadTied: Bool
    /// Bytes of one row of activations on a link.
    public var rowBytes: Int
    /// Tokens whose keys and values must fit, over all sequences together.
    public var contextTokens: Int
    /// Memory of a shard besides weights and cache: the program, and what a step computes with.
    public var overheadBytes: Int

    public init(
        layers: [LayerDemand], embeddingBytes: Int, headBytes: Int, headOperations: Double, isHeadTied: Bool,
        rowBytes: Int, contextTokens: Int, overheadBytes: Int
    ) {
        self.layers = layers
        self.embeddingBytes = embeddingBytes
        self.headBytes = headBytes
        self.headOperations = headOperations
        self.isHeadTied = isHeadTied
        self.rowBytes = rowBytes
        self.contextTokens = contextTokens
        self.overheadBytes = overheadBytes
    }

    /// Keys and values of all tokens in `layers`.
    func cacheBytes(_ layers: Range<Int>) -> Int {
        layers.reduce(0) { $0 + self.layers[$1].cacheBytesPerToken } * contextTokens
    }

    /// Weights of the ends that a shard holds.
    func endsBytes(_ ends: Ends) -> Int {
        switch (ends.contains(.first), ends.contains(.last)) {
        case (true, true): isHeadTied ? max(embeddingBytes, headBytes) : embeddingBytes + headBytes
        case (true, false): embeddingBytes
        case (false, true): headBytes
        case (false, false): 0
        }
    }
}

/// Which ends of the model a shard holds beside its layers.
struct Ends: OptionSet, Hashable {
    let rawValue: UInt8
    /// The embedding.
    static let first = Ends(rawValue: 1)
    /// The final norm and the head.
    static let last = Ends(rawValue: 2)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Of the machine that is `position` in a ring of `count`.
    init(_ position: Int, of count: Int) {
        self = []
        if position == 0 { insert(.first) }
        if position == count - 1 { insert(.last) }
    }
}
