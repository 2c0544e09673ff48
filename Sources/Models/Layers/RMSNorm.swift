// Root-mean-square norm.

internal import Tensors

/// x / √(mean(x²) + epsilon) · (weight + offset) over the columns of a row, or of each head of it. Zhang and Sennrich,
/// 2019.
struct RMSNorm: @unchecked Sendable {  // The weight is memory that nobody writes.
    let weight: UnsafePointer<Float>
    /// 1 in families that store how much their weights differ from it.
    var offset: Float = 0
    let epsilon: Float

    /// A new tensor of the shape of `x`.
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        try x.rootMeanSquareNormalized(weight: weight, offset: offset, epsilon: epsilon)
    }

    /// Norms each head of the rows of `x`, `[row, heads · columns]`, in place.
    /// - Parameter columns: of a head.
    func normalizeHeads(of x: Tensor, columns: Int) {
        x.reshaped(columns: columns).normalizeRootMeanSquare(weight: weight, offset: offset, epsilon: epsilon)
    }
}
