// PythonText: comparing, searching, cutting and joining strings by code points, as Python's str does.
//
// Swift's own String compares by canonical equivalence and counts grapheme clusters; a template must see code points.
// Everything here works on the UTF-8 bytes, in time linear in them. Bounds are the caller's: see RenderBudget.

import Glibc

enum PythonText {
    /// Runs `body` over the UTF-8 bytes of `text`.
    static func withBytes<Result>(
        _ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        if let result = try text.utf8.withContiguousStorageIfAvailable(body) { return result }
        var copy = text
        return try copy.withUTF8(body)
    }

    static func string(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Comparing

    static func equal(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return withBytes(left) { left in withBytes(right) { right in sameBytes(left, right) } }
    }

    private static func sameBytes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else {
            return left.count == right.count
        }
        return left.count == right.count && memcmp(leftStart, rightStart, left.count) == 0
    }

    /// Whether `left` comes before `right`. UTF-8 sorts as the code points do.
    static func precedes(_ left: String, _ right: String) -> Bool {
        withBytes(left) { left in withBytes(right) { right in left.lexicographicallyPrecedes(right) } }
    }

    /// A string as a dictionary's key, compared by its code points.
    struct Key: Hashable {
        let text: String
        init(_ text: String) { self.text = text }
        static func == (left: Key, right: Key) -> Bool { PythonText.equal(left.text, right.text) }
        func hash(into hasher: inout Hasher) {
            PythonText.withBytes(text) { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    // MARK: Counting code points

    static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    static func scalarCount(_ text: String) -> Int { withBytes(text) { scalarCount($0[...]) } }

    static func scalarCount(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
        var count = 0
        for byte in bytes where !isContinuation(byte) { count += 1 }
        return count
    }

    /// Where the code point number `scalar` starts, in bytes; the end of the text if there are no more.
    static func byteOffset(ofScalar scalar: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var remaining = scalar
        for (offset, byte) in bytes.enumerated() where !isContinuation(byte) {
            if remaining == 0 { return offset }
            remaining -= 1
        }
        return bytes.count
    }

    /// Code points `lower..<upper` of `text`; both must lie within it.
    static func slice(_ text: String, _ lower: Int, _ upper: Int) -> String {
        withBytes(text) { bytes in
            let start = byteOffset(ofScalar: lower, in: bytes)
            let rest = UnsafeBufferPointer(rebasing: bytes[start...])
            return string(rest[..<byteOffset(ofScalar: upper - lower, in: rest)])
        }
    }

    // MARK: Affixes

    static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
        withBytes(text) { text in
            withBytes(prefix) { prefix in
                text.count >= prefix.count && sameBytes(UnsafeBufferPointer(rebasing: text[..<prefix.count]), prefix)
            }
        }
    }

    static func hasSuffix(_ text: String, _ suffix: String) -> Bool {
        withBytes(text) { text in
            withBytes(suffix) { suffix in
                let start = text.count - suffix.count
                return start >= 0 && sameBytes(UnsafeBufferPointer(rebasing: text[start...]), suffix)
            }
        }
    }

    // MARK: Cutting

    /// No more words or lines than this are in `text`.
    static func partsMax(_ text: String) -> Int {
        // White space is ASCII, or starts with one of four bytes.
        withBytes(text) { bytes in
            bytes.reduce(1) { $0 + ($1 <= 0x20 || $1 == 0xC2 || $1 >= 0xE1 && $1 <= 0xE3 ? 1 : 0) }
        }
    }

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// `text` without the code points of `characters` (white space where nil) at the chosen ends.
    static func strip(_ text: String, _ characters: String? = nil, left: Bool = true, right: Bool = true) -> String {
        let removed = characters.map { Set($0.unicodeScalars) }
        func isRemoved(_ scalar: Unicode.Scalar) -> Bool { removed?.contains(scalar) ?? isSpace(scalar) }
        var rest = text.unicodeScalars[...]
        if left { rest = rest.drop(while: isRemoved) }
        if right { while let last = rest.last, isRemoved(last) { rest.removeLast() } }
        return rest.startIndex == text.startIndex && rest.endIndex == text.endIndex ? text : String(rest)
    }

    /// `text` cut at the byte offsets, each of which starts a separator of `separatorBytes`.
    static func cut(_ text: String, at offsets: [Int], separatorBytes: Int) -> [String] {
        withBytes(text) { bytes in
            var parts: [String] = []
            parts.reserveCapacity(offsets.count + 1)
            var start = 0
            for offset in offsets {
                parts.append(string(bytes[start..<offset]))
                start = offset + separatorBytes
            }
            parts.append(string(bytes[start...]))
            return parts
        }
    }

    /// The length in bytes of the character at `position` if it passes, else 0.
    private static func length(
        of isWanted: (Unicode.Scalar) -> Bool, at position: Int, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Int {
        let first = bytes[position]
        if first < 0x80 { return isWanted(Unicode.Scalar(first)) ? 1 : 0 }
        // All white space beyond ASCII has two or three bytes, and these starts.
        let count = first == 0xC2 ? 2 : first >= 0xE1 && first <= 0xE3 ? 3 : 0
        guard count > 0, position + count <= bytes.count else { return 0 }
        var value = UInt32(first) & (count == 2 ? 0x1F : 0x0F)
        for byte in bytes[(position + 1)..<(position + count)] { value = value << 6 | UInt32(byte & 0x3F) }
        return Unicode.Scalar(value).map(isWanted) ?? false ? count : 0
    }

    /// The words of `text` between white space; after `cutsMax` cuts the rest stays whole.
    static func words(_ text: String, cutsMax: Int = .max) -> [String] {
        withBytes(text) { bytes in
            var parts: [String] = []
            var start: Int?
            var position = 0
            while position < bytes.count {
                let space = length(of: isSpace, at: position, in: bytes)
                if let wordStart = start, space > 0 {
                    parts.append(string(bytes[wordStart..<position]))
                    start = nil
                } else if start == nil, space == 0 {
                    start = position
                    if parts.count == cutsMax { break }
                }
                position += max(space, 1)
            }
            if let start { parts.append(string(bytes[start...])) }
            return parts
        }
    }

    /// The same, cutting from the right.
    static func lastWords(_ text: String, cutsMax: Int) -> [String] {
        let all = words(text)
        guard all.count > cutsMax else { return all }
        // The first words stay together, with the space between them as it was.
        var rest = text.unicodeScalars[...]
        func dropSpace() { while let last = rest.last, isSpace(last) { rest.removeLast() } }
        for word in all.suffix(cutsMax).reversed() {
            dropSpace()
            rest.removeLast(word.unicodeScalars.count)
        }
        dropSpace()
        return [String(rest)] + all.suffix(cutsMax)
    }

    /// The lines of `text`: Python ends a line at more characters than `\n`.
    static func lines(_ text: String, keepEnds: Bool = false) -> [String] {
        withBytes(text) { bytes in
            var lines: [String] = []
            var start = 0
            var position = 0
            while position < bytes.count {
                var lineEnd = length(of: isLineEnd, at: position, in: bytes)
                guard lineEnd > 0 else {
                    position += 1
                    continue
                }
                let isReturn = bytes[position] == UInt8(ascii: "\r")
                if isReturn, position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "\n") { lineEnd = 2 }
                lines.append(string(bytes[start..<(keepEnds ? position + lineEnd : position)]))
                position += lineEnd
                start = position
            }
            if start < bytes.count { lines.append(string(bytes[start...])) }
            return lines
        }
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// The value of an ASCII digit in `radix`, which is at most 36.
    static func digitValue(_ byte: UInt8, radix: Int) -> Int? {
        let value: Int
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(byte - UInt8(ascii: "A")) + 10
        default: return nil
        }
        return value < radix ? value : nil
    }
}
