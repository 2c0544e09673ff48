// Hashes for the tokenizer's tables.

/// A hash of bytes for tables made from a trusted file: eight bytes at a time, each step a multiplication whose high
/// half is folded into the low one.
func byteHash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(bytes)
    var hash = UInt64(truncatingIfNeeded: bytes.count) &* hashMultiplier
    var offset = 0
    while offset + 8 <= raw.count {
        hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        offset += 8
    }
    var rest: UInt64 = 0
    while offset < raw.count {
        rest = rest << 8 | UInt64(raw[offset])
        offset += 1
    }
    return mix(hash ^ rest)
}

/// Spreads every bit of a word over all of them.
@inline(__always)
func mix(_ word: UInt64) -> UInt64 {
    let product = word.multipliedFullWidth(by: hashMultiplier)
    return product.high ^ product.low
}

/// 2^64 divided by the golden ratio, made odd: the usual multiplier of Fibonacci hashing.
private let hashMultiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
