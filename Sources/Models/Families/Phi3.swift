// Phi-3, Phi-3.5 and Phi-4, dense.

internal import Tensors
public import Weights

// MARK: Config

/// Phi-3: Llama with queries, keys and values in one matrix, gate and up in another, and LongRoPE in its versions for
/// long contexts. Microsoft, 2024.
public struct Phi3: TrunkModel {
    public static let modelTypes = ["phi3"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    /// Tokens that a row attends to, itself included; nil: all.
    fileprivate let slidingWindow: Int?

    public init(_ config: ModelConfig) throws(ConfigError) {
        let fields = config.fields
        trunk = try DecoderTrunk(config)
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        slidingWindow =
            fields.has("sliding_window")
            ? try fields.integer("sliding_window", in: 1...ModelLimits.contextTokensMax) : nil
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    /// Queries, keys and values are the outputs of `qkv_proj`, in that order.
    fileprivate init(_ model: Phi3, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let trunk = model.trunk
        let total = trunk.queryColumns + 2 * trunk.cachedColumns
        func part(_ first: Int, _ outputs: Int) throws(CheckpointError) -> Linear {
            try reader.linear(
                "self_attn.qkv_proj", inputs: trunk.hiddenSize, outputs: outputs,
                part: .outputs(first: first, total: total))
        }
        self.init(
            layer: layer, heads: trunk.heads, cache: trunk.cache, scale: trunk.scale,
            qProj: try part(0, trunk.queryColumns), kProj: try part(trunk.queryColumns, trunk.cachedColumns),
            vProj: try part(trunk.queryColumns + trunk.cachedColumns, trunk.cachedColumns),
            oProj: try reader.linear("self_attn.o_proj", inputs: trunk.queryColumns, outputs: trunk.hiddenSize),
            qNorm: nil, kNorm: nil, rotary: trunk.rotary, window: model.slidingWindow)
    }
}

// MARK: MLP

extension SwiGLU {
    /// Gate and up are the halves of `gate_up_proj`.
    fileprivate init(_ model: Phi3, _ reader: WeightReader) throws(CheckpointError) {
        let (hiddenSize, columns) = (model.trunk.hiddenSize, model.intermediateSize)
        func half(_ first: Int) throws(CheckpointError) -> Linear {
            try reader.linear(
                "mlp.gate_up_proj", inputs: hiddenSize, outputs: columns,
                part: .outputs(first: first, total: 2 * columns))
        }
        self.init(
            gateProj: try half(0), upProj: try half(columns),
            downProj: try reader.linear("mlp.down_proj", inputs: columns, outputs: hiddenSize))
    }
}

// MARK: Block

extension Phi3 {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        return try PreNormBlock(
            trunk, reader, selfAttn: GroupedQueryAttention(self, layer: index, reader), mlp: SwiGLU(self, reader))
    }
}
