// Many-row products through OpenBLAS, for users who give up batch invariance for throughput.

internal import CKernels
internal import COpenBLAS

/// Widens a matrix to float32 a tile of outputs at a time and multiplies each tile by all rows with `cblas_sgemm`.
public enum OpenBLASProducts {
    /// Fewest rows that repay widening the weights, which costs about as much as multiplying them by a dozen rows.
    public static let rowsMin = 16
    /// Outputs widened at a time: 4 MiB for 4,096 inputs, small beside the activations of the rows that make this
    /// worthwhile.
    static let tileOutputs = 256

    /// output[r, o] = Σ linear[o, i] · x[r, i] (+ bias[o]).
    static func multiply(_ linear: Linear, _ x: Tensor, into output: Tensor) throws(TensorError) {
        let matrix = linear.matrix
        precondition(matrix.inputs == x.columns && matrix.outputs == output.columns && x.rows == output.rows)
        let compute = x.compute
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        if let bias = linear.bias {
            for row in 0..<output.rows {
                (output.elements + row * output.columns).update(from: bias, count: output.columns)
            }
        }
        let tile = try Tensor(rows: min(tileOutputs, matrix.outputs), columns: matrix.inputs, in: compute)
        for first in stride(from: 0, to: matrix.outputs, by: tileOutputs) {
            let outputs = first..<min(first + tileOutputs, matrix.outputs)
            widen(matrix, outputs, into: tile, compute.pool)
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, blasint(x.rows), blasint(outputs.count), blasint(x.columns), 1,
                x.elements, blasint(x.columns), tile.elements, blasint(x.columns), linear.bias == nil ? 0 : 1,
                output.elements + first, blasint(output.columns))
        }
    }

    private static func widen(_ matrix: Matrix, _ outputs: Range<Int>, into tile: Tensor, _ pool: WorkerPool) {
        // One output an item: rows are thousands of inputs long, and OpenBLAS's threads idle meanwhile.
        pool.run(items: outputs.count) { item in
            var id = UInt32(outputs.lowerBound + item)
            withUnsafePointer(to: matrix.kernel) { ck_gather_rows($0, &id, 1, tile.elements + item * tile.columns) }
        }
    }
}
