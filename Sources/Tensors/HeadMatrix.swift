// Products of each head's own part of a matrix.

internal import CKernels

/// Of each head's `headOutputs` outputs of a matrix some, as a matrix of that head alone.
public struct HeadMatrix: Sendable {
    public let matrix: Matrix
    public let heads: Int
    let outputs: Range<Int>
    let isTransposed: Bool

    /// The widest matrix that is multiplied head by head.
    public static let inputsMax = Int(CK_HEAD_INPUTS_MAX)

    /// - Parameters:
    ///   - matrix: its outputs are those of the first head, then those of the second, and so on; its inputs are at most
    ///     ``inputsMax``.
    ///   - outputs: of each head, those that are used.
    ///   - isTransposed: whether the transpose is meant, from `outputs.count` columns to `matrix.inputs`.
    public init(_ matrix: Matrix, heads: Int, outputs: Range<Int>, isTransposed: Bool = false) {
        precondition(matrix.outputs % heads == 0 && outputs.upperBound <= matrix.outputs / heads, "outputs of heads")
        precondition(matrix.inputs <= Self.inputsMax, "\(matrix.inputs) inputs")
        self.matrix = matrix
        self.heads = heads
        self.outputs = outputs
        self.isTransposed = isTransposed
    }

    private var columns: (of: Int, to: Int) {
        isTransposed ? (outputs.count, matrix.inputs) : (matrix.inputs, outputs.count)
    }

    /// Multiplies the first columns of each head of `x`, `[row, heads · columns]`, into the first columns of each head
    /// of `output`, in float32.
    public func multiply(_ x: Tensor, into output: Tensor) throws(TensorError) {
        precondition(x.rows == output.rows && x.columns % heads == 0 && output.columns % heads == 0, "rows of heads")
        let (xColumns, outputColumns) = (x.columns / heads, output.columns / heads)
        precondition(columns.of <= xColumns && columns.to <= outputColumns, "columns of heads")
        let compute = x.compute
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        let scratch = try compute.arena.allocate(bytes: ck_multiply_heads_scratch_bytes())
        withUnsafePointer(to: matrix.kernel) { kernel in
            var part = ck_head_matrix(
                matrix: kernel, heads: heads, head_outputs: matrix.outputs / heads,
                first_output: outputs.lowerBound, outputs: outputs.count, transposed: isTransposed)
            ck_multiply_heads(
                compute.pool.pool, &part, x.elements, xColumns, x.rows, output.elements, outputColumns, scratch)
        }
    }
}
