// What gated feed-forward networks have in common.

internal import Tensors

/// down(gated(inner(x))): products of a row, an activation of some by others, and a product of what comes out.
protocol GatedNetwork: FeedForwardNetwork {
    /// What multiplies a row first.
    var inner: [Linear] { get }
    var downProj: Linear { get }

    /// What goes into ``downProj``, in the memory of the products of ``inner`` or new.
    func gated(_ products: ArraySlice<Tensor>) throws(TensorError) -> Tensor

    /// This rank's share of `[row, hidden]` to `[row, hidden]`.
    func product(_ x: Tensor) throws(TensorError) -> Tensor
}

extension GatedNetwork {
    func product(_ x: Tensor) throws(TensorError) -> Tensor {
        try downProj(gated(x.projected(by: inner)[...]))
    }

    /// `[row, hidden]` to `[row, hidden]`.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        try product(x).summedOverRanks()
    }
}
