// Self-attention whose heads share one compressed key, from which keys and values of each are made.

internal import Tensors

/// Multi-head latent attention with its projections absorbed. DeepSeek-AI, 2024.
///
/// The cache holds a token's latent and the rotated part of its key, which all heads share. A head's key is a product
/// of the latent, W c; its score with a query q is (Wᵀ q) · c, so queries are multiplied by Wᵀ instead of every cached
/// latent by W, and likewise what is attended to becomes values at the end. The form is the same for one row and for
/// many, so that a row's bits are.
struct LatentAttention: SelfAttention {
    /// How queries are made of a row.
    enum Query: Sendable {
        case direct(qProj: Linear)
        case compressed(qAProj: Linear, qALayernorm: RMSNorm, qBProj: Linear)
    }

    let layer: Int
    let heads: Int
    /// One head: the latent, then ``rotatedColumns``; its values are the latent.
    let cache: CacheShape
    let scale: Float
    /// Columns of a head's query that carry no position, then those that do.
    let plainColumns: Int
    let rotatedColumns: Int
    let valueColumns: Int

    let query: Query
    let kvAProjWithMqa: Linear
    let kvALayernorm: RMSNorm
    /// From the plain columns of a head's query to a latent.
    let queryToLatent: HeadMatrix
    /// From what a head attends to, a latent, to its values.
    let latentToValue: HeadMatrix
    let oProj: Linear
    let rotary: RotaryEmbedding

    private var latentColumns: Int { cache.valueDimension }

    /// `[row, hidden]` to `[row, hidden]`.
    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor {
        let (queries, compressed) = try project(x)
        let attended = try pass.attend(
            layer: layer, queries: try latentQueries(queries, pass), keys: try latentKeys(compressed, pass),
            values: nil,
            heads: heads, cache: cache, scale: scale)
        let values = try Tensor(rows: x.rows, columns: heads * valueColumns, in: x.compute)
        try latentToValue.multiply(attended, into: values)
        return try oProj(values).summedOverRanks()
    }

    /// `[row, heads · (plain + rotated)]` and `[row, latent + rotated]`.
    private func project(_ x: Tensor) throws(TensorError) -> (queries: Tensor, compressed: Tensor) {
        switch query {
        case .direct(let qProj):
            return try x.projected(by: qProj, kvAProjWithMqa)
        case .compressed(let qAProj, let qALayernorm, let qBProj):
            let (inner, compressed) = try x.projected(by: qAProj, kvAProjWithMqa)
            return (try qBProj(qALayernorm(inner)), compressed)
        }
    }

    /// The latent normed and the rest rotated.
    private func latentKeys(_ compressed: Tensor, _ pass: ForwardPass) throws(TensorError) -> Tensor {
        let (rows, columns) = (compressed.rows, latentColumns + rotatedColumns)
        let latents = try Tensor(rows: rows, columns: latentColumns, in: compressed.compute)
        latents.copyHeads(
            0..<latentColumns, of: compressed, headColumns: columns, to: 0, headColumns: latentColumns)
        kvALayernorm.normalizeHeads(of: latents, columns: latentColumns)
        let turned = try rotated(compressed, from: latentColumns, headColumns: columns, pass)
        let keys = try Tensor(rows: rows, columns: columns, in: compressed.compute)
        keys.copyHeads(0..<latentColumns, of: latents, headColumns: latentColumns, to: 0, headColumns: columns)
        keys.copyHeads(
            0..<rotatedColumns, of: turned, headColumns: rotatedColumns, to: latentColumns, headColumns: columns)
        return keys
    }

    /// Each head's query as it meets those keys.
    private func latentQueries(_ queries: Tensor, _ pass: ForwardPass) throws(TensorError) -> Tensor {
        let columns = latentColumns + rotatedColumns
        let absorbed = try Tensor(rows: queries.rows, columns: heads * columns, in: queries.compute)
        try queryToLatent.multiply(queries, into: absorbed)
        let turned = try rotated(queries, from: plainColumns, headColumns: plainColumns + rotatedColumns, pass)
        absorbed.copyHeads(
            0..<rotatedColumns, of: turned, headColumns: rotatedColumns, to: latentColumns, headColumns: columns)
        return absorbed
    }

    /// The columns of each head from `first` on, rotated, as a new tensor.
    private func rotated(
        _ x: Tensor, from first: Int, headColumns: Int, _ pass: ForwardPass
    ) throws(TensorError) -> Tensor {
        let turned = try Tensor(rows: x.rows, columns: x.columns / headColumns * rotatedColumns, in: x.compute)
        turned.copyHeads(
            first..<first + rotatedColumns, of: x, headColumns: headColumns, to: 0, headColumns: rotatedColumns)
        rotary(turned, headDimension: rotatedColumns, pass)
        return turned
    }
}
