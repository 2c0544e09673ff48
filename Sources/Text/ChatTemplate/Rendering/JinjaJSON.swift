// JinjaJSON: the `tojson` filter of chat templates: what Python's json.dumps prints.

/// Prints values as JSON.
struct JinjaJSON {
    private let interpreter: JinjaInterpreter
    private let escapesNonASCII: Bool
    private let indentation: String?
    private let itemSeparator: String
    private let keySeparator: String
    private let sortsKeys: Bool
    private var text = ""

    /// The filter: unlike Jinja's own it does not escape for HTML, and takes json.dumps' options.
    static func filter(
        _ interpreter: JinjaInterpreter, _ value: RenderValue, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        let escapesNonASCII = try reader.flag("ensure_ascii")
        let indent = try reader.optional("indent") ?? RenderValue.none
        let separators = try reader.optional("separators") ?? RenderValue.none
        let sortsKeys = try reader.flag("sort_keys")
        try reader.finish()

        var indentation: String?
        if let width = indent.integer {
            try interpreter.budget.allocateString(max(width, 0))
            indentation = String(repeating: " ", count: max(width, 0))
        } else if !indent.isNone {
            guard let text = indent.text else { throw reader.failure("'indent' must be an integer or a string") }
            indentation = text
        }
        var parts = [indentation == nil ? ", " : ",", ": "]
        if !separators.isNone {
            let given = try interpreter.items(of: separators)
            guard given.count == 2, let item = given[0].text, let key = given[1].text else {
                throw reader.failure("'separators' must be two strings")
            }
            parts = [item, key]
        }
        var writer = JinjaJSON(
            interpreter: interpreter, escapesNonASCII: escapesNonASCII, indentation: indentation,
            itemSeparator: parts[0], keySeparator: parts[1], sortsKeys: sortsKeys)
        try writer.write(value, nesting: 0)
        try interpreter.budget.allocateString(writer.text.utf8.count)
        return .string(writer.text)
    }

    private init(
        interpreter: JinjaInterpreter, escapesNonASCII: Bool, indentation: String?, itemSeparator: String,
        keySeparator: String, sortsKeys: Bool
    ) {
        self.interpreter = interpreter
        self.escapesNonASCII = escapesNonASCII
        self.indentation = indentation
        self.itemSeparator = itemSeparator
        self.keySeparator = keySeparator
        self.sortsKeys = sortsKeys
    }

    private mutating func write(_ value: RenderValue, nesting: Int) throws {
        try interpreter.budget.step()
        guard text.utf8.count <= interpreter.budget.limits.stringBytesMax else {
            throw ChatTemplateError(.limit, "a value is too large to print as JSON")
        }
        switch value {
        case .none: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .int(let value): text += String(value)
        case .bigInteger(let digits): text += digits
        case .double(let value): text += Self.number(value)
        case .string(let string), .markup(let string): try write(string)
        case .list(let list): try write(elements: list.elements, nesting: nesting)
        case .tuple(let tuple): try write(elements: tuple.elements, nesting: nesting)
        case .dict(let dict): try write(dict, nesting: nesting)
        case .undefined, .range, .object:
            throw interpreter.failure("Object of type \(value.typeName) is not JSON serializable")
        }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return PythonNumber.repr(value)
    }

    private mutating func breakLine(_ nesting: Int) throws {
        guard let indentation else { return }
        try interpreter.budget.allocateString(indentation.utf8.count, times: nesting)
        text += "\n"
        for _ in 0..<nesting { text += indentation }
    }

    private mutating func write(elements: [RenderValue], nesting: Int) throws {
        guard !elements.isEmpty else {
            text += "[]"
            return
        }
        text += "["
        for (position, element) in elements.enumerated() {
            if position > 0 { text += itemSeparator }
            try breakLine(nesting + 1)
            try write(element, nesting: nesting + 1)
        }
        try breakLine(nesting)
        text += "]"
    }

    private mutating func write(_ dict: RenderDict, nesting: Int) throws {
        guard !dict.keys.isEmpty else {
            text += "{}"
            return
        }
        var order = Array(dict.keys.indices)
        if sortsKeys { try order.sort { try interpreter.precedes(dict.keys[$0], dict.keys[$1]) } }
        text += "{"
        for (count, position) in order.enumerated() {
            if count > 0 { text += itemSeparator }
            try breakLine(nesting + 1)
            try write(key: dict.keys[position])
            text += keySeparator
            try write(dict.values[position], nesting: nesting + 1)
        }
        try breakLine(nesting)
        text += "}"
    }

    private mutating func write(key: RenderValue) throws {
        switch key {
        case .string(let key), .markup(let key): try write(key)
        case .none, .bool, .int, .bigInteger, .double:
            text += "\""
            try write(key, nesting: 0)
            text += "\""
        default: throw interpreter.failure("keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private mutating func write(_ string: String) throws {
        try interpreter.budget.search(string)
        text += "\""
        let needsEscapes = string.utf8.contains { byte in
            byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || escapesNonASCII && byte >= 0x7F
        }
        if needsEscapes {
            for scalar in string.unicodeScalars { append(escaped: scalar) }
        } else {
            text += string
        }
        text += "\""
    }

    private mutating func append(escaped scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\u{8}": text += "\\b"
        case "\u{C}": text += "\\f"
        default:
            if scalar.value < 0x20 || escapesNonASCII && scalar.value > 0x7E {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }
}
