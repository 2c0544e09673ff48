// The alphabet in which byte-level vocabularies write bytes: one printable character for each.

/// How a byte-level vocabulary spells bytes. Bytes that are printable in Latin-1 stand for themselves; the other 68,
/// in order, are written as the characters from U+0100 on, so that a blank becomes "Ġ".
enum ByteLevelAlphabet {
    /// [byte] the scalar that stands for it.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                return Unicode.Scalar(byte)
            default:
                defer { next += 1 }
                // U+0100 to U+0143 are all scalars; a blank could never be reached.
                return Unicode.Scalar(next) ?? " "
            }
        }
    }()

    /// [scalar value] the byte it stands for, up to the last letter of the alphabet.
    private static let bytes: [UInt8?] = {
        let largest = scalars.reduce(0) { max($0, Int($1.value)) }
        var bytes = [UInt8?](repeating: nil, count: largest + 1)
        for (byte, scalar) in scalars.enumerated() {
            bytes[Int(scalar.value)] = UInt8(byte)
        }
        return bytes
    }()

    /// Appends what a token stands for: the bytes its characters spell, or its own UTF-8 where one of them is no
    /// letter of the alphabet (special tokens such as `<｜User｜>`).
    static func appendBytes(ofToken content: some Collection<UInt8>, to output: inout [UInt8]) {
        let start = output.count
        var iterator = content.makeIterator()
        while let first = iterator.next() {
            // The alphabet ends below U+0800: no letter of it has more than two bytes.
            let value: Int
            if first < 0x80 {
                value = Int(first)
            } else if first < 0xE0, let second = iterator.next() {
                value = Int(first & 0x1F) << 6 | Int(second & 0x3F)
            } else {
                value = bytes.count
            }
            guard value < bytes.count, let byte = bytes[value] else {
                output.removeSubrange(start...)
                output.append(contentsOf: content)
                return
            }
            output.append(byte)
        }
    }

    /// Appends the UTF-8 of the characters that spell these bytes.
    static func appendSpelling(of piece: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        for byte in piece {
            output.append(contentsOf: scalars[Int(byte)].utf8)
        }
    }
}
