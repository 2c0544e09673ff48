// OrderedJSON: reads JSON into JinjaValue with the keys of objects in the order of the text.
//
// Chat templates print tool schemas with `tojson`, and models were trained on the order in which the keys were written:
// of the reference vectors a fifth come out differently when keys are sorted. Foundation's JSONDecoder and
// JSONSerialization both hand objects over as unordered dictionaries, and no package this project uses keeps the order,
// so this small strict reader (RFC 8259, bounded depth, no recursion on the length of the input) stands in for them.

/// Why a text is not JSON that this program accepts.
public struct OrderedJSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public var message: String
    /// Where reading stopped, in bytes from the start.
    public var byteOffset: Int

    public var description: String { "not valid JSON at byte \(byteOffset): \(message)" }
}

extension JinjaValue {
    /// Reads a JSON text of UTF-8 bytes, with objects' keys in the order of the text.
    ///
    /// A key that comes twice has its last value, as in Python and Foundation. The depth is bounded by
    /// `limits.valueNestingMax`.
    /// - Throws: ``OrderedJSONError``
    public init(json: some Collection<UInt8>, limits: JinjaLimits = JinjaLimits()) throws {
        let contiguous = try json.withContiguousStorageIfAvailable { try JinjaValue(jsonBytes: $0, limits: limits) }
        if let contiguous {
            self = contiguous
        } else {
            self = try Array(json).withUnsafeBufferPointer { try JinjaValue(jsonBytes: $0, limits: limits) }
        }
    }

    /// Reads a JSON text, with objects' keys in the order of the text.
    /// - Throws: ``OrderedJSONError``
    public init(json: String, limits: JinjaLimits = JinjaLimits()) throws {
        try self.init(json: json.utf8, limits: limits)
    }

    private init(jsonBytes: UnsafeBufferPointer<UInt8>, limits: JinjaLimits) throws {
        var reader = OrderedJSONReader(bytes: jsonBytes, nestingMax: limits.valueNestingMax)
        self = try reader.readDocument()
    }
}

/// One pass over the bytes of a JSON text.
private struct OrderedJSONReader {
    let bytes: UnsafeBufferPointer<UInt8>
    let nestingMax: Int
    var position = 0
    var nesting = 0

    init(bytes: UnsafeBufferPointer<UInt8>, nestingMax: Int) {
        self.bytes = bytes
        self.nestingMax = nestingMax
    }

    mutating func readDocument() throws -> JinjaValue {
        let value = try readValue()
        skipWhitespace()
        guard position == bytes.count else { throw failure("unexpected text after the value") }
        return value
    }

    private func failure(_ message: String) -> OrderedJSONError {
        OrderedJSONError(message: message, byteOffset: position)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func readValue() throws -> JinjaValue {
        skipWhitespace()
        switch next {
        case UInt8(ascii: "{"): return try nested { try $0.readObject() }
        case UInt8(ascii: "["): return try nested { try $0.readArray() }
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .none)
        case nil: throw failure("the text ends where a value should be")
        case let byte? where byte == UInt8(ascii: "-") || PythonText.digitValue(byte, radix: 10) != nil:
            return try readNumber()
        default: throw failure("expected a value")
        }
    }

    private mutating func nested(_ read: (inout Self) throws -> JinjaValue) throws -> JinjaValue {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= nestingMax else { throw failure("more than \(nestingMax) levels of nesting") }
        position += 1
        return try read(&self)
    }

    private mutating func readArray() throws -> JinjaValue {
        var elements: [JinjaValue] = []
        skipWhitespace()
        if take("]") { return .array([]) }
        while true {
            elements.append(try readValue())
            skipWhitespace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw failure("expected ',' or ']' in an array") }
        }
    }

    private mutating func readObject() throws -> JinjaValue {
        var object = JinjaObject()
        skipWhitespace()
        if take("}") { return .object(object) }
        while true {
            skipWhitespace()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a string as key of an object") }
            let key = try readString()
            skipWhitespace()
            guard take(":") else { throw failure("expected ':' after a key") }
            object[key] = try readValue()
            skipWhitespace()
            if take("}") { return .object(object) }
            guard take(",") else { throw failure("expected ',' or '}' in an object") }
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func readWord(_ word: StaticString, _ value: JinjaValue) throws -> JinjaValue {
        let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes[position...].starts(with: expected) else { throw failure("expected a value") }
        position += expected.count
        return value
    }

    private mutating func readNumber() throws -> JinjaValue {
        let start = position
        var isInteger = true
        _ = take("-")
        if !take("0") { try readDigits() }
        if take(".") {
            isInteger = false
            try readDigits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            try readDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int(text).map(JinjaValue.int) ?? .bigInteger(text) }
        guard let number = Double(text) else { throw failure("'\(text)' is no number") }
        return .double(number)
    }

    private mutating func readDigits() throws {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw failure("expected a digit") }
    }

    private mutating func readString() throws -> String {
        position += 1
        var text = ""
        var plainStart = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                try appendPlain(from: plainStart, to: &text)
                position += 1
                return text
            case UInt8(ascii: "\\"):
                try appendPlain(from: plainStart, to: &text)
                position += 1
                text.unicodeScalars.append(try readEscape())
                plainStart = position
            case 0..<0x20: throw failure("a control character inside a string")
            default: position += 1
            }
        }
        throw failure("the text ends inside a string")
    }

    private func appendPlain(from start: Int, to text: inout String) throws {
        guard start < position else { return }
        let slice = UnsafeBufferPointer(rebasing: bytes[start..<position])
        guard let plain = String(validating: slice, as: UTF8.self) else { throw failure("a string is not UTF-8") }
        if text.isEmpty { text = plain } else { text += plain }
    }

    private mutating func readEscape() throws -> Unicode.Scalar {
        guard let byte = next else { throw failure("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try readHexUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard unit < 0xDC00, take("\\"), take("u") else { throw failure("half of a surrogate pair") }
            let low = try readHexUnit()
            guard (0xDC00...0xDFFF).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
            else { throw failure("half of a surrogate pair") }
            return scalar
        default: throw failure("unknown escape in a string")
        }
    }

    private mutating func readHexUnit() throws -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = PythonText.digitValue(byte, radix: 16) else {
                throw failure("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}
