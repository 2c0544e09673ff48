// The gated feed-forward network with GELU.

internal import Tensors
internal import Weights

/// down(gelu(gate(x)) · up(x)), GELU in the tangent's approximation. Shazeer, 2020.
struct GeGLU: GatedNetwork {
    let gateProj: Linear
    let upProj: Linear
    let downProj: Linear

    /// Reads `gate_proj`, `up_proj` and `down_proj` below `name`.
    init(_ reader: WeightReader, _ name: String, hiddenSize: Int, intermediateSize: Int) throws(CheckpointError) {
        gateProj = try reader.linear("\(name).gate_proj", inputs: hiddenSize, outputs: intermediateSize)
        upProj = try reader.linear("\(name).up_proj", inputs: hiddenSize, outputs: intermediateSize)
        downProj = try reader.linear("\(name).down_proj", inputs: intermediateSize, outputs: hiddenSize)
    }

    var inner: [Linear] { [gateProj, upProj] }

    func gated(_ products: ArraySlice<Tensor>) -> Tensor {
        geluMultiply(products[products.startIndex], products[products.startIndex + 1])
    }
}
