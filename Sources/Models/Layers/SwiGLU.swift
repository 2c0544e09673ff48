// The gated feed-forward network.

internal import Tensors
internal import Weights

/// down(silu(gate(x)) · up(x)). Shazeer, 2020.
struct SwiGLU: Sendable {
    let gateProj: Linear
    let upProj: Linear
    let downProj: Linear

    /// Reads `gate_proj`, `up_proj` and `down_proj` below `name`.
    init(_ reader: WeightReader, _ name: String, hiddenSize: Int, intermediateSize: Int) throws(CheckpointError) {
        gateProj = try reader.linear("\(name).gate_proj", inputs: hiddenSize, outputs: intermediateSize)
        upProj = try reader.linear("\(name).up_proj", inputs: hiddenSize, outputs: intermediateSize)
        downProj = try reader.linear("\(name).down_proj", inputs: intermediateSize, outputs: hiddenSize)
    }

    /// `[row, hidden]` to `[row, hidden]`.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let (gate, up) = try x.projected(by: gateProj, upProj)
        return try downProj(siluMultiply(gate, up)).summedOverRanks()
    }
}
