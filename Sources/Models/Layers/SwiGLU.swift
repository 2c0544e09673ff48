// The gated feed-forward network.

internal import Tensors
internal import Weights

/// down(silu(gate(x)) · up(x)). Shazeer, 2020.
struct SwiGLU: GatedNetwork {
    let gateProj: Linear
    let upProj: Linear
    let downProj: Linear

    /// Reads `gate_proj`, `up_proj` and `down_proj` below `name`.
    init(
        _ reader: WeightReader, _ name: String, hiddenSize: Int, intermediateSize: Int, bias: Bool = false
    ) throws(CheckpointError) {
        gateProj = try reader.linear("\(name).gate_proj", inputs: hiddenSize, outputs: intermediateSize, bias: bias)
        upProj = try reader.linear("\(name).up_proj", inputs: hiddenSize, outputs: intermediateSize, bias: bias)
        downProj = try reader.linear("\(name).down_proj", inputs: intermediateSize, outputs: hiddenSize, bias: bias)
    }

    init(gateProj: Linear, upProj: Linear, downProj: Linear) {
        (self.gateProj, self.upProj, self.downProj) = (gateProj, upProj, downProj)
    }

    var inner: [Linear] { [gateProj, upProj] }

    func gated(_ products: ArraySlice<Tensor>) -> Tensor {
        siluMultiply(products[products.startIndex], products[products.startIndex + 1])
    }

    /// This rank's share of it.
    func product(_ x: Tensor) throws(TensorError) -> Tensor {
        let (gate, up) = try x.projected(by: gateProj, upProj)
        return try downProj(siluMultiply(gate, up))
    }
}
