// Tensors that become something else on their way into memory.

internal import CKernels

/// What a tensor has to become, and where in a slab its parts lie: packed blocks become affine weights, scales and
/// biases, and rows in another order go where they belong. Every value stays what it was.
struct ConversionLayout: Sendable {
    /// Something that the tensor becomes.
    struct Part: Sendable {
        /// What the tensor's name ends in, in place of its last component; `nil` for the tensor's own name.
        let suffix: String?
        let elementType: ElementType
        let shape: [Int]
        let packing: AffinePacking?

        var byteCount: Int { shape.reduce(elementType.byteCount, *) }
    }

    let parts: [Part]

    /// - Returns: `nil` for a tensor that is used as it is stored.
    init?(_ entry: TensorEntry) {
        if let format = entry.elementType.blockFormat {
            let layout = ck_block_layout_of(format)
            let (bits, group) = (Int(layout.bits), Int(layout.group))
            let columns = entry.shape.last ?? 0
            func shape(_ last: Int) -> [Int] { entry.shape.dropLast() + [last] }
            let scaleType = layout.scale_type == CK_F32 ? ElementType.f32 : .f16
            parts = [
                Part(
                    suffix: nil, elementType: .u32, shape: shape(columns * bits / 32),
                    packing: AffinePacking(bits: bits, group: group)),
                Part(suffix: "scales", elementType: scaleType, shape: shape(columns / group), packing: nil),
                Part(suffix: "biases", elementType: scaleType, shape: shape(columns / group), packing: nil),
            ]
        } else if entry.rowOrder != .natural {
            let isVector = entry.shape.count == 1 && (entry.elementType == .f16 || entry.elementType == .bf16)
            parts = [
                Part(
                    suffix: nil, elementType: isVector ? .f32 : entry.elementType, shape: entry.shape, packing: nil)
            ]
        } else {
            return nil
        }
    }

    /// The name of a part of the tensor `name`: a matrix `x.weight` becomes `x.weight`, `x.scales` and `x.biases`.
    static func name(_ name: String, _ suffix: String?) -> String {
        guard let suffix else { return name }
        let stem = name.split(separator: ".", omittingEmptySubsequences: false).dropLast()
        return (stem + [Substring(suffix)]).joined(separator: ".")
    }
}

/// A tensor to be read and converted.
///
/// Unchecked: nobody else reads or writes the memory until it has been read.
public struct TensorConversion: @unchecked Sendable {
    public let tensor: TensorEntry
    /// Where the parts of its ``ConversionLayout`` go, 64-byte aligned.
    let destinations: [UnsafeMutableRawPointer]

    /// Blocks of the tensor, or elements where it is not packed.
    var blockCount: Int { tensor.byteCount / tensor.elementType.byteCount }

    /// Converts blocks of the tensor, which lie at `bytes`.
    /// - Returns: what is wrong with them.
    func convert(_ blocks: Range<Int>, from bytes: UnsafeRawPointer) -> CheckpointError? {
        let rows = tensor.shape.first ?? 1
        guard tensor.rowOrder != .natural, rows > 0 else { return convert(blocks, from: bytes, to: blocks.lowerBound) }
        let rowBlocks = blockCount / rows
        var first = blocks.lowerBound
        while first < blocks.upperBound {
            let row = first / rowBlocks
            let end = min((row + 1) * rowBlocks, blocks.upperBound)
            let place = tensor.rowOrder.place(ofRow: row, of: rows) * rowBlocks + first % rowBlocks
            let from = bytes + (first - blocks.lowerBound) * tensor.elementType.byteCount
            if let failure = convert(first..<end, from: from, to: place) { return failure }
            first = end
        }
        return nil
    }

    /// The same of blocks that stay together, of which the first becomes block `place`.
    private func convert(_ blocks: Range<Int>, from bytes: UnsafeRawPointer, to place: Int) -> CheckpointError? {
        let type = tensor.elementType
        guard let format = type.blockFormat else {
            if type.byteCount == 2, tensor.shape.count == 1 {
                let values = (destinations[0] + place * 4).assumingMemoryBound(to: Float.self)
                ck_convert_to_f32(type == .f16 ? CK_F16 : CK_BF16, bytes, blocks.count, values)
            } else {
                (destinations[0] + place * type.byteCount).copyMemory(
                    from: bytes, byteCount: blocks.count * type.byteCount)
            }
            return nil
        }
        let layout = ck_block_layout_of(format)
        let weightBytes = Int(layout.elements / 8 * layout.bits)
        let scaleBytes = Int(layout.elements / layout.group) * (layout.scale_type == CK_F32 ? 4 : 2)
        let isExact = ck_blocks_to_affine(
            format, bytes, blocks.count, destinations[0] + place * weightBytes, destinations[1] + place * scaleBytes,
            destinations[2] + place * scaleBytes)
        guard isExact else {
            return CheckpointError(
                .unsupported, tensor: tensor.name,
                "has a scale of \(type.rawValue) so large that its weights cannot be kept exactly; the file is damaged")
        }
        return nil
    }
}
