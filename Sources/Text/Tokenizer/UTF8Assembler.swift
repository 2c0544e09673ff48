// Makes whole characters of bytes that arrive in any portions.

/// Turns a stream of bytes into valid UTF-8. A character still open is held back; what cannot become one is replaced
/// by U+FFFD as soon as that is certain, each time for the longest stretch that began like a character (as Unicode
/// recommends).
struct UTF8Assembler: Sendable {
    /// The bytes of the open character.
    private var open: (UInt8, UInt8, UInt8) = (0, 0, 0)
    private var openCount = 0
    /// How many bytes it still needs, and which the next one may be.
    private var missingCount = 0
    private var allowed: ClosedRange<UInt8> = 0x80...0xBF
    /// One U+FFFD for each byte of a broken character rather than one for all of it.
    private let replacesEachByte: Bool

    private static let replacement: [UInt8] = Array("\u{FFFD}".utf8)

    init(replacesEachByte: Bool) {
        self.replacesEachByte = replacesEachByte
    }

    /// Takes a byte and appends what is now certain.
    @inline(__always)
    mutating func push(_ byte: UInt8, to output: inout [UInt8]) {
        if openCount == 0 && byte < 0x80 {
            output.append(byte)
        } else {
            pushOutsideASCII(byte, to: &output)
        }
    }

    private mutating func pushOutsideASCII(_ byte: UInt8, to output: inout [UInt8]) {
        if missingCount > 0 && allowed.contains(byte) {
            missingCount -= 1
            if missingCount == 0 {
                appendOpen(to: &output)
                output.append(byte)
                openCount = 0
            } else {
                hold(byte)
                allowed = 0x80...0xBF
            }
            return
        }
        finish(to: &output)
        allowed = 0x80...0xBF
        switch byte {
        case ..<0x80:
            output.append(byte)
            return
        case 0xC2...0xDF:
            missingCount = 1
        case 0xE0...0xEF:
            missingCount = 2
            // No character has a longer form than it needs, and surrogates are none.
            if byte == 0xE0 { allowed = 0xA0...0xBF }
            if byte == 0xED { allowed = 0x80...0x9F }
        case 0xF0...0xF4:
            missingCount = 3
            if byte == 0xF0 { allowed = 0x90...0xBF }
            if byte == 0xF4 { allowed = 0x80...0x8F }
        default:
            output.append(contentsOf: Self.replacement)
            return
        }
        hold(byte)
    }

    /// Replaces what is still open: no more bytes will come for it.
    mutating func finish(to output: inout [UInt8]) {
        for _ in 0..<(replacesEachByte ? openCount : min(openCount, 1)) {
            output.append(contentsOf: Self.replacement)
        }
        openCount = 0
        missingCount = 0
    }

    private mutating func hold(_ byte: UInt8) {
        switch openCount {
        case 0: open.0 = byte
        case 1: open.1 = byte
        default: open.2 = byte
        }
        openCount += 1
    }

    private func appendOpen(to output: inout [UInt8]) {
        output.append(open.0)
        if openCount > 1 { output.append(open.1) }
        if openCount > 2 { output.append(open.2) }
    }
}
