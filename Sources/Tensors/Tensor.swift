// Float32 values of a step, as rows and columns.

internal import CKernels

/// A view of float32 values `[rows, columns]`, contiguous and row-major, in the arena of a ``Compute``.
///
/// It does not own its memory: it is valid until the arena is reset or a mark from before its making is released, which
/// ends a layer or a step. It must not leave the step it was made in.
public struct Tensor {
    public let rows: Int
    public let columns: Int
    /// Its values, 64-byte aligned when it was allocated as a whole.
    public let elements: UnsafeMutablePointer<Float>
    /// With what it is computed, and in whose arena it lies.
    public let compute: Compute

    /// A tensor of `rows` × `columns` uninitialized values.
    /// - Throws: when the arena's limit is reached.
    public init(rows: Int, columns: Int, in compute: Compute) throws(TensorError) {
        let memory = try compute.arena.allocate(bytes: rows * columns * MemoryLayout<Float>.stride)
        self.init(rows: rows, columns: columns, elements: memory.assumingMemoryBound(to: Float.self), compute: compute)
    }

    private init(rows: Int, columns: Int, elements: UnsafeMutablePointer<Float>, compute: Compute) {
        self.rows = rows
        self.columns = columns
        self.elements = elements
        self.compute = compute
    }

    public var count: Int { rows * columns }

    /// All values, row after row.
    public var values: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: elements, count: count)
    }

    /// One row.
    public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
        return UnsafeMutableBufferPointer(start: elements + row * columns, count: columns)
    }

    /// The same values in rows of `columns`, which divides their count.
    public func reshaped(columns newColumns: Int) -> Tensor {
        precondition(count % newColumns == 0, "\(count) values do not make rows of \(newColumns)")
        return Tensor(rows: count / newColumns, columns: newColumns, elements: elements, compute: compute)
    }

    /// Some of its rows, in the same memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        return Tensor(
            rows: range.count, columns: columns, elements: elements + range.lowerBound * columns, compute: compute)
    }

    /// A tensor of copies of the rows named, in that order.
    public func gathering(rows indices: [Int]) throws(TensorError) -> Tensor {
        let gathered = try Tensor(rows: indices.count, columns: columns, in: compute)
        for (row, index) in indices.enumerated() {
            (gathered.elements + row * columns).update(from: self[index].baseAddress.unsafelyUnwrapped, count: columns)
        }
        return gathered
    }

    /// Overwrites its values with those of a tensor of the same shape.
    public func copy(from other: Tensor) {
        precondition(other.rows == rows && other.columns == columns, "a copy has the shape of the original")
        elements.update(from: other.elements, count: count)
    }
}

extension Tensor {
    /// Size of its values written as `type`.
    public func byteCount(as type: FloatType) -> Int { count * type.bytes }

    /// Writes its values, rounded to nearest even, to `bytes`, which holds ``byteCount(as:)`` bytes at any alignment.
    public func write(as type: FloatType, to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == byteCount(as: type), "\(bytes.count) bytes for \(byteCount(as: type))")
        guard let start = bytes.baseAddress else { return }
        if type == .f32 {
            start.copyMemory(from: elements, byteCount: bytes.count)
        } else {
            ck_convert_from_f32(type.kernelType, elements, count, start)
        }
    }

    /// Overwrites its values with those in `bytes`, which holds ``byteCount(as:)`` bytes at any alignment.
    public func read(as type: FloatType, from bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == byteCount(as: type), "\(bytes.count) bytes for \(byteCount(as: type))")
        guard let start = bytes.baseAddress else { return }
        if type == .f32 {
            UnsafeMutableRawPointer(elements).copyMemory(from: start, byteCount: bytes.count)
        } else {
            ck_convert_to_f32(type.kernelType, start, count, elements)
        }
    }

    /// Replaces each value by the nearest one that `type` can hold.
    ///
    /// - Throws: when the arena's limit is reached.
    public func round(to type: FloatType) throws(TensorError) {
        guard type != .f32 else { return }
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        let rounded = UnsafeMutableRawBufferPointer(
            start: try compute.arena.allocate(bytes: byteCount(as: type)), count: byteCount(as: type))
        write(as: type, to: rounded)
        read(as: type, from: UnsafeRawBufferPointer(rounded))
    }
}
