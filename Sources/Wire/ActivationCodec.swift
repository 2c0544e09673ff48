// Hidden states between float32 in memory and bytes on the wire.

/// Writes float32 activations as payload bytes and reads them back; little-endian.
public enum ActivationCodec {
    /// Rounds activations to `format` and writes them one after the other.
    /// - Returns: `activations.count * format.bytesPerElement` bytes.
    public static func encode(_ activations: UnsafeBufferPointer<Float>, as format: ActivationFormat) -> [UInt8] {
        let byteCount = activations.count * format.bytesPerElement
        return [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
            encode(activations, as: format, to: UnsafeMutableRawBufferPointer(target))
            count = byteCount
        }
    }

    /// Rounds activations to `format` and writes them to `target`, which has room for `activations.count *
    /// format.bytesPerElement` bytes.
    public static func encode(
        _ activations: UnsafeBufferPointer<Float>, as format: ActivationFormat, to target: UnsafeMutableRawBufferPointer
    ) {
        let count = min(activations.count, target.count / format.bytesPerElement)
        guard let source = activations.baseAddress, let bytes = target.baseAddress else { return }
        switch format {
        case .f32:
            for index in 0..<count {
                bytes.storeBytes(of: source[index].bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
        case .bf16:
            for index in 0..<count {
                bytes.storeBytes(of: bfloat16(source[index]).littleEndian, toByteOffset: 2 * index, as: UInt16.self)
            }
        }
    }

    /// Reads activations into `target`.
    /// - Returns: `false`, with nothing written, unless the payload has exactly `target.count` elements.
    public static func decode(
        _ payload: UnsafeRawBufferPointer, as format: ActivationFormat, to target: UnsafeMutableBufferPointer<Float>
    ) -> Bool {
        guard payload.count == target.count * format.bytesPerElement else { return false }
        guard let bytes = payload.baseAddress, let activations = target.baseAddress else { return true }
        switch format {
        case .f32:
            for index in 0..<target.count {
                let bits = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                activations.advanced(by: index).initialize(to: Float(bitPattern: bits))
            }
        case .bf16:
            for index in 0..<target.count {
                let bits = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                activations.advanced(by: index).initialize(to: Float(bitPattern: UInt32(bits) << 16))
            }
        }
        return true
    }

    /// The bfloat16 nearest to `value`, ties to even; a NaN stays one.
    @inline(__always)
    static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        // Adding just below half, or half when the kept part is odd, carries into the kept part exactly when rounding
        // goes up.
        let rounded = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
        // A NaN whose payload lies in the dropped bits would round to infinity.
        let quietNaN = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
        let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
        return isNaN ? quietNaN : rounded
    }
}
