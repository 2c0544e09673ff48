// JinjaLiterals: the values of string and number literals in a template's source.

enum JinjaStringLiteral {
    /// The text of a string literal without its quotes: Python's escapes, and a backslash before anything else stays.
    static func unescape(_ literal: String) throws -> String {
        guard literal.utf8.contains(UInt8(ascii: "\\")) else { return literal }
        var result = String.UnicodeScalarView()
        var rest = literal.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\\", let escape = rest.popFirst() else {
                result.append(scalar)
                continue
            }
            switch escape {
            case "\n": break
            case "\\", "'", "\"": result.append(escape)
            case "a": result.append("\u{7}")
            case "b": result.append("\u{8}")
            case "f": result.append("\u{C}")
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "t": result.append("\t")
            case "v": result.append("\u{B}")
            case "x": result.append(try codePoint(&rest, digits: 2))
            case "u": result.append(try codePoint(&rest, digits: 4))
            case "U": result.append(try codePoint(&rest, digits: 8))
            case "N": throw ChatTemplateError(.syntax, "characters by name, '\\N{…}', are not supported in strings")
            case "0"..."7":
                var value = escape.value - 0x30
                for _ in 0..<2 {
                    guard let digit = rest.first, ("0"..."7").contains(digit) else { break }
                    value = value * 8 + digit.value - 0x30
                    rest.removeFirst()
                }
                result.append(try checked(value))
            default: result.append(contentsOf: [scalar, escape])
            }
        }
        return String(result)
    }

    private static func codePoint(_ rest: inout Substring.UnicodeScalarView, digits: Int) throws -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = rest.popFirst(), digit.isASCII,
                let digit = PythonText.digitValue(UInt8(digit.value), radix: 16)
            else { throw ChatTemplateError(.syntax, "an escape in a string needs \(digits) hexadecimal digits") }
            value = value << 4 | UInt32(digit)
        }
        return try checked(value)
    }

    private static func checked(_ value: UInt32) throws -> Unicode.Scalar {
        guard let scalar = Unicode.Scalar(value) else {
            throw ChatTemplateError(.syntax, "an escape in a string is no character: \(String(value, radix: 16))")
        }
        return scalar
    }
}

/// A number at the start of some bytes: decimal, binary, octal or hexadecimal, or with a fraction or exponent.
struct JinjaNumberLiteral {
    /// Nil where the digits make no number.
    private(set) var value: RenderValue?
    private(set) var end: Int

    init(bytes: [UInt8], from start: Int) {
        func isDigit(_ position: Int, radix: Int = 10) -> Bool {
            position < bytes.count && PythonText.digitValue(bytes[position], radix: radix) != nil
        }
        /// Past the digits from `position` on, between which underscores may stand.
        func skipDigits(_ position: Int, radix: Int = 10) -> Int {
            var position = position
            while isDigit(position, radix: radix)
                || (position > start && position < bytes.count && bytes[position] == UInt8(ascii: "_")
                    && isDigit(position + 1, radix: radix))
            { position += 1 }
            return position
        }
        func text(upTo end: Int) -> String {
            PythonText.string(bytes[start..<end].filter { $0 != UInt8(ascii: "_") })
        }

        // After a dot there is an index, never a fraction: x.0.1
        let isFraction = start == 0 || bytes[start - 1] != UInt8(ascii: ".")
        var end = skipDigits(start)
        var isDouble = false
        if isFraction {
            if end < bytes.count, bytes[end] == UInt8(ascii: "."), isDigit(end + 1) {
                end = skipDigits(end + 1)
                isDouble = true
            }
            if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "e") {
                let isSigned = end + 1 < bytes.count && [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[end + 1])
                let digits = end + (isSigned ? 2 : 1)
                if isDigit(digits) {
                    end = skipDigits(digits)
                    isDouble = true
                }
            }
        }
        if isDouble {
            value = Double(text(upTo: end)).map(RenderValue.double)
            self.end = end
            return
        }

        let prefixes: [UInt8: Int] = [UInt8(ascii: "b"): 2, UInt8(ascii: "o"): 8, UInt8(ascii: "x"): 16]
        if bytes[start] == UInt8(ascii: "0"), start + 1 < bytes.count, let radix = prefixes[bytes[start + 1] | 0x20],
            case let prefixedEnd = skipDigits(start + 2, radix: radix), prefixedEnd > start + 2
        {
            value = PythonNumber.integer(text(upTo: prefixedEnd), radix: radix)
            self.end = prefixedEnd
            return
        }
        value = PythonNumber.integer(text(upTo: end))
        self.end = end
        // A number other than zero does not start with a zero.
        if bytes[start] == UInt8(ascii: "0"), text(upTo: end).contains(where: { $0 != "0" }) { value = nil }
    }
}
