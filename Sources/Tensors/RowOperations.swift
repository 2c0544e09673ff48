// What is done to each row between products: norm, rotation, activation, addition.

internal import CKernels

extension Tensor {
    /// x / √(mean(x²) + epsilon) · weight for each row x, as a new tensor. RMSNorm of Zhang and Sennrich, 2019.
    /// - Parameters:
    ///   - weight: ``columns`` values.
    ///   - offset: added to each of them.
    public func rootMeanSquareNormalized(
        weight: UnsafePointer<Float>, offset: Float = 0, epsilon: Float
    ) throws(TensorError) -> Tensor {
        let output = try Tensor(rows: rows, columns: columns, in: compute)
        ck_rms_norm_offset(compute.pool.pool, elements, weight, offset, epsilon, rows, columns, output.elements)
        return output
    }

    /// The same in place.
    public func normalizeRootMeanSquare(weight: UnsafePointer<Float>, offset: Float = 0, epsilon: Float) {
        ck_rms_norm_offset(compute.pool.pool, elements, weight, offset, epsilon, rows, columns, elements)
    }

    /// Multiplies each value by `factor`.
    public func scale(by factor: Float) {
        for index in 0..<count { elements[index] *= factor }
    }

    /// Copies columns of each head of `other` to columns of each head of its own, the rows of both being alike.
    ///
    /// - Parameters:
    ///   - columns: of a head of `other`, whose heads have `otherHeadColumns`.
    ///   - first: where they go in a head of its own, whose heads have `headColumns`.
    public func copyHeads(
        _ columns: Range<Int>, of other: Tensor, headColumns otherHeadColumns: Int, to first: Int, headColumns: Int
    ) {
        let heads = count / headColumns
        precondition(other.count == heads * otherHeadColumns && other.rows == rows, "as many heads")
        precondition(columns.upperBound <= otherHeadColumns && first + columns.count <= headColumns, "columns of heads")
        for head in 0..<heads {
            (elements + head * headColumns + first).update(
                from: other.elements + head * otherHeadColumns + columns.lowerBound, count: columns.count)
        }
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

/// gelu(gate) · up, element by element, in the memory of `gate`, with the tangent's approximation of GELU. GEGLU of
/// Shazeer, 2020.
public func geluMultiply(_ gate: Tensor, _ up: Tensor) -> Tensor {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "a gate for each value")
    ck_gelu_multiply(gate.compute.pool.pool, gate.elements, up.elements, gate.count, gate.elements)
    return gate
}

/// g · logistic(alpha · g) · (u + 1), element by element, in the memory of `gate`, with g the gate up to `limit` and u
/// the value within ± `limit`. OpenAI, 2025.
public func clampedMultiply(_ gate: Tensor, _ up: Tensor, limit: Float, alpha: Float) -> Tensor {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "a gate for each value")
    ck_clamped_multiply(
        gate.compute.pool.pool, gate.elements, up.elements, limit, alpha, gate.count, gate.elements)
    return gate
}

extension Tensor {
    /// Its columns of even and of odd number, as new tensors of half as many columns.
    public func separatingPairs() throws(TensorError) -> (Tensor, Tensor) {
        precondition(columns % 2 == 0, "columns make pairs")
        let first = try Tensor(rows: rows, columns: columns / 2, in: compute)
        let second = try Tensor(rows: rows, columns: columns / 2, in: compute)
        ck_separate_pairs(elements, count / 2, first.elements, second.elements)
        return (first, second)
    }
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
