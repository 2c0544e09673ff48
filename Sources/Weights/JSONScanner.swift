// Reads JSON from bytes, strictly and in one pass, without building a tree.

/// A cursor over JSON text. Unlike a decoder into dictionaries it shows every member of an object, so that duplicate
/// names in a safetensors header are seen, and a header of 100,000 tensors costs no tree. Follows RFC 8259.
struct JSONScanner {
    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0
    /// Named in errors.
    let file: String

    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// Reads an object; `member` must read each member's value.
    mutating func object(
        _ member: (inout JSONScanner, String) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        try open("{", "an object")
        if take("}") { return close() }
        repeat {
            skipSpace()
            let name = try string()
            guard take(":") else { throw unexpected("':' after a name") }
            try member(&self, name)
        } while take(",")
        guard take("}") else { throw unexpected("',' or '}'") }
        close()
    }

    /// Reads an array; `element` must read each element.
    mutating func array(_ element: (inout JSONScanner) throws(CheckpointError) -> Void) throws(CheckpointError) {
        try open("[", "an array")
        if take("]") { return close() }
        repeat { try element(&self) } while take(",")
        guard take("]") else { throw unexpected("',' or ']'") }
        close()
    }

    mutating func string() throws(CheckpointError) -> String {
        guard take("\"") else { throw unexpected("a string") }
        let start = offset
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { offset += 1 }
        if peek == UInt8(ascii: "\"") {
            let text = try validated(bytes[start..<offset])
            offset += 1
            return text
        }
        var unescaped = Array(bytes[start..<offset])
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw unexpected("no control character in a string") }
            offset += 1
            if byte == UInt8(ascii: "\\") {
                try unescape(into: &unescaped)
            } else {
                unescaped.append(byte)
            }
        }
        guard take("\"") else { throw unexpected("the end of a string") }
        return try validated(unescaped[...])
    }

    /// Reads a whole number that is not negative, as shapes and offsets are.
    mutating func unsignedInteger() throws(CheckpointError) -> UInt64 {
        let text = try numberText()
        guard let value = UInt64(text) else { throw unexpected("a whole number below 2^64, not '\(text.printable)',") }
        return value
    }

    /// Reads a number and returns its text.
    mutating func numberText() throws(CheckpointError) -> String {
        skipSpace()
        let start = offset
        if peek == UInt8(ascii: "-") { offset += 1 }
        let leadingZero = peek == UInt8(ascii: "0")
        let wholeDigits = skipDigits()
        guard wholeDigits > 0, !(leadingZero && wholeDigits > 1) else { throw unexpected("a number") }
        if peek == UInt8(ascii: ".") {
            offset += 1
            guard skipDigits() > 0 else { throw unexpected("a digit") }
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            offset += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { offset += 1 }
            guard skipDigits() > 0 else { throw unexpected("a digit") }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    /// Reads `true`, `false` or `null`.
    mutating func literal() throws(CheckpointError) -> String {
        skipSpace()
        for word in ["true", "false", "null"] where bytes[offset...].starts(with: word.utf8) {
            offset += word.utf8.count
            return word
        }
        throw unexpected("a value")
    }

    enum Kind { case object, array, string, number, literal }

    /// What comes next, by its first byte.
    mutating func nextKind() -> Kind {
        skipSpace()
        guard let byte = peek else { return .literal }
        return switch byte {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): .number
        default: .literal
        }
    }

    /// Reads any value and forgets it.
    mutating func skipValue() throws(CheckpointError) {
        switch nextKind() {
        case .object: try object { (scanner, _) throws(CheckpointError) in try scanner.skipValue() }
        case .array: try array { (scanner) throws(CheckpointError) in try scanner.skipValue() }
        case .string: _ = try string()
        case .number: _ = try numberText()
        case .literal: _ = try literal()
        }
    }

    /// Checks that nothing but white space is left.
    mutating func end() throws(CheckpointError) {
        skipSpace()
        guard offset == bytes.count else { throw unexpected("the end") }
    }

    // MARK: - Parts

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func skipDigits() -> Int {
        let start = offset
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        return offset - start
    }

    /// Skips white space, then takes `symbol` if it is next. Inside a string only the quote that ends it is taken this
    /// way.
    private mutating func take(_ symbol: Unicode.Scalar) -> Bool {
        if symbol != "\"" || peek != UInt8(ascii: "\"") { skipSpace() }
        guard peek == UInt8(ascii: symbol) else { return false }
        offset += 1
        return true
    }

    private mutating func open(_ symbol: Unicode.Scalar, _ what: String) throws(CheckpointError) {
        guard take(symbol) else { throw unexpected(what) }
        depth += 1
        guard depth <= CheckpointLimits.nestingMax else {
            throw CheckpointError(
                .malformed, file: file, "JSON nests deeper than \(CheckpointLimits.nestingMax) at byte \(offset)")
        }
    }

    private mutating func close() { depth -= 1 }

    private mutating func unescape(into text: inout [UInt8]) throws(CheckpointError) {
        guard let byte = peek else { throw unexpected("the end of a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code), bytes[offset...].starts(with: "\\u".utf8) {
                offset += 2
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw unexpected("the second half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw unexpected("a whole surrogate pair") }
            text.append(contentsOf: String(scalar).utf8)
        default: throw unexpected("a known escape")
        }
    }

    private mutating func hexadecimal() throws(CheckpointError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected("four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private func validated(_ text: ArraySlice<UInt8>) throws(CheckpointError) -> String {
        guard let string = String(validating: text, as: UTF8.self) else {
            throw CheckpointError(.malformed, file: file, "JSON holds a string that is not UTF-8 before byte \(offset)")
        }
        return string
    }

    private func unexpected(_ wanted: String) -> CheckpointError {
        CheckpointError(.malformed, file: file, "is not the JSON it should be: expected \(wanted) at byte \(offset)")
    }
}
