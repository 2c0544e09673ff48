// Products of rows with weight matrices.

internal import CKernels

/// y = W x + b, for each row x.
public struct Linear: @unchecked Sendable {  // As its matrix, the bias is memory that nobody writes.
    public let matrix: Matrix
    /// `[matrix.outputs]`.
    let bias: UnsafePointer<Float>?

    /// - Parameter bias: `matrix.outputs` values that live as long as the matrix's.
    public init(_ matrix: Matrix, bias: UnsafePointer<Float>? = nil) {
        self.matrix = matrix
        self.bias = bias
    }

    /// `[x.rows, matrix.outputs]`.
    /// - Parameter precision: other than that of the step, where rounded activations would do harm.
    public func callAsFunction(_ x: Tensor, precision: Precision? = nil) throws(TensorError) -> Tensor {
        let output = try Tensor(rows: x.rows, columns: matrix.outputs, in: x.compute)
        try x.multiply(count: 1, precision: precision) { _ in Product(self, output) }
        return output
    }
}

extension Tensor {
    /// Its products with two matrices, computed together.
    public func projected(by a: Linear, _ b: Linear) throws(TensorError) -> (Tensor, Tensor) {
        let first = try Tensor(rows: rows, columns: a.matrix.outputs, in: compute)
        let second = try Tensor(rows: rows, columns: b.matrix.outputs, in: compute)
        try multiply(count: 2) { $0 == 0 ? Product(a, first) : Product(b, second) }
        return (first, second)
    }

    /// Its products with three matrices, computed together.
    public func projected(by a: Linear, _ b: Linear, _ c: Linear) throws(TensorError) -> (Tensor, Tensor, Tensor) {
        let first = try Tensor(rows: rows, columns: a.matrix.outputs, in: compute)
        let second = try Tensor(rows: rows, columns: b.matrix.outputs, in: compute)
        let third = try Tensor(rows: rows, columns: c.matrix.outputs, in: compute)
        try multiply(count: 3) { $0 == 0 ? Product(a, first) : $0 == 1 ? Product(b, second) : Product(c, third) }
        return (first, second, third)
    }

    /// Its products with any number of matrices, computed together.
    public func projected(by linears: [Linear]) throws(TensorError) -> [Tensor] {
        var outputs: [Tensor] = []
        outputs.reserveCapacity(linears.count)
        for linear in linears {
            outputs.append(try Tensor(rows: rows, columns: linear.matrix.outputs, in: compute))
        }
        try multiply(count: linears.count) { Product(linears[$0], outputs[$0]) }
        return outputs
    }

    /// Computes `count` products that share this input in one call, so that its rows are prepared once and its threads
    /// meet once.
    fileprivate func multiply(
        count: Int, precision: Precision? = nil, _ product: (Int) -> Product
    ) throws(TensorError) {
        guard rows > 0 else { return }
        if compute.manyRowProducts == .openBLAS, rows >= OpenBLASProducts.rowsMin {
            for index in 0..<count {
                let product = product(index)
                try OpenBLASProducts.multiply(product.linear, self, into: product.output)
            }
            return
        }
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        let scratch = try compute.arena.allocate(bytes: ck_matmul_scratch_bytes(rows, UInt32(columns)))
        withUnsafeTemporaryAllocation(of: ck_matrix.self, capacity: count) { matrices in
            withUnsafeTemporaryAllocation(of: ck_product.self, capacity: count) { products in
                for index in 0..<count {
                    let product = product(index)
                    precondition(product.linear.matrix.inputs == columns, "a row has a value for each input")
                    matrices.initializeElement(at: index, to: product.linear.matrix.kernel)
                    products.initializeElement(
                        at: index,
                        to: ck_product(
                            matrix: matrices.baseAddress.unsafelyUnwrapped + index, bias: product.linear.bias,
                            output: product.output.elements))
                }
                ck_matmul(
                    compute.pool.pool, products.baseAddress, count, elements, rows,
                    (precision ?? compute.precision) == .exact ? CK_ACTIVATIONS_F32 : CK_ACTIVATIONS_ROUNDED, scratch)
            }
        }
    }
}

/// One of the products computed together.
fileprivate struct Product {
    let linear: Linear
    let output: Tensor

    init(_ linear: Linear, _ output: Tensor) {
        self.linear = linear
        self.output = output
    }
}
