// Root-mean-square norm.

internal import Tensors

/// x / √(mean(x²) + epsilon) · weight over the columns of a row, or of each head of it. Zhang and Sennrich, 2019.
struct RMSNorm: @unchecked Sendable {  // The weight is memory that nobody writes.
    let weight: UnsafePointer<Float>
    let epsilon: Float

    /// A new tensor of the shape of `x`.
    func callAsFunction(_ x: Tensor) throws(TensorError) -> Tensor {
        try x.rootMeanSquareNormalized(weight: weight, epsilon: epsilon)
    }

    /// Norms each head of the rows of `x`, `[row, heads · columns]`, in place.
    /// - Parameter columns: of a head.
    func normalizeHeads(of x: Tensor, columns: Int) {
        x.reshaped(columns: columns).normalizeRootMeanSquare(weight: weight, epsilon: epsilon)
    }
}
