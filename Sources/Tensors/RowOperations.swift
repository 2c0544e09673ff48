// What is done to each row between products: norm, rotation, activation, addition.

internal import CKernels

extension Tensor {
    /// x / √(mean(x²) + epsilon) · weight for each row x, as a new tensor. RMSNorm of Zhang and Sennrich, 2019.
    /// - Parameter weight: ``columns`` values.
    public func rootMeanSquareNormalized(
        weight: UnsafePointer<Float>, epsilon: Float
    ) throws(TensorError) -> Tensor {
        let output = try Tensor(rows: rows, columns: columns, in: compute)
        ck_rms_norm(compute.pool.pool, elements, weight, epsilon, rows, columns, output.elements)
        return output
    }

    /// The same in place.
    public func normalizeRootMeanSquare(weight: UnsafePointer<Float>, epsilon: Float) {
        ck_rms_norm(compute.pool.pool, elements, weight, epsilon, rows, columns, elements)
    }

    /// Rotates the first columns of every head in place, by an angle for each row and pair of columns. Su et al., 2021.
    ///
    /// - Parameters:
    ///   - headDimension: columns of a head; it divides ``columns``.
    ///   - angles: `[rows, rotated columns / 2]`.
    ///   - pairing: which columns make a pair.
    public func rotate(headDimension: Int, by angles: RotationAngles, pairing: RotationPairing) {
        precondition(columns % headDimension == 0 && angles.cosines.rows == rows, "an angle for each row, whole heads")
        precondition(2 * angles.cosines.columns <= headDimension, "no more pairs than a head has")
        ck_rope(
            compute.pool.pool, elements, angles.cosines.elements, angles.sines.elements, rows, columns / headDimension,
            headDimension, 2 * angles.cosines.columns, pairing == .interleaved)
    }

    /// Turns each row of logits into probabilities, in place.
    public func softmax() {
        for row in 0..<rows { ck_softmax(elements + row * columns, columns) }
    }

    /// Turns each value into 1 / (1 + e^−value), in place.
    public func sigmoid() {
        ck_sigmoid(elements, count)
    }

    /// Adds `factor` times a row of `other` to one of its own.
    public func add(_ factor: Float, times source: Int, of other: Tensor, to row: Int) {
        precondition(other.columns == columns && source < other.rows && row < rows, "rows of the same columns")
        ck_add_scaled(factor, other.elements + source * columns, columns, elements + row * columns)
    }

    /// Overwrites its values with zeros.
    public func clear() {
        elements.update(repeating: 0, count: count)
    }

    /// The sum of two tensors of the same shape, as a new tensor.
    public static func + (a: Tensor, b: Tensor) throws(TensorError) -> Tensor {
        precondition(a.rows == b.rows && a.columns == b.columns, "terms of a sum have the same shape")
        let output = try Tensor(rows: a.rows, columns: a.columns, in: a.compute)
        ck_add(a.compute.pool.pool, a.elements, b.elements, a.count, output.elements)
        return output
    }
}

/// silu(gate) · up, element by element, in the memory of `gate`. SwiGLU of Shazeer, 2020.
public func siluMultiply(_ gate: Tensor, _ up: Tensor) -> Tensor {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "a gate for each value")
    ck_silu_multiply(gate.compute.pool.pool, gate.elements, up.elements, gate.count, gate.elements)
    return gate
}

/// Cosines and sines of rotary angles, each `[rows, pairs]`.
public struct RotationAngles {
    public let cosines: Tensor
    public let sines: Tensor

    /// Uninitialized angles.
    public init(rows: Int, pairs: Int, in compute: Compute) throws(TensorError) {
        cosines = try Tensor(rows: rows, columns: pairs, in: compute)
        sines = try Tensor(rows: rows, columns: pairs, in: compute)
    }
}

/// Which of the rotated columns of a head turn together.
public enum RotationPairing: Sendable, Equatable {
    /// Column i with column i + half of them.
    case halves
    /// Columns 2i and 2i + 1.
    case interleaved
}
