// PythonBraceFormat: the `format` method of strings: "…{}…".format(values).

/// The `format` method of strings.
struct PythonBraceFormat {
    private let interpreter: JinjaInterpreter
    private let positional: [RenderValue]
    private let named: RenderValue
    private let escapes: Bool
    private var nextPosition = 0
    private var numbersFields: Bool?

    /// `format.format(*positional, **named)`. With `escapes`, values are escaped for HTML.
    static func format(
        _ format: String, _ positional: [RenderValue], named: RenderValue, in interpreter: JinjaInterpreter,
        escapes: Bool
    ) throws -> String {
        var formatter = PythonBraceFormat(
            interpreter: interpreter, positional: positional, named: named, escapes: escapes)
        return try formatter.expand(format, nesting: 0)
    }

    private init(interpreter: JinjaInterpreter, positional: [RenderValue], named: RenderValue, escapes: Bool) {
        self.interpreter = interpreter
        self.positional = positional
        self.named = named
        self.escapes = escapes
    }

    private func failure(_ message: String) -> ChatTemplateError { interpreter.failure(message) }

    /// Fields may stand in the format of a field, but no deeper.
    private mutating func expand(_ format: String, nesting: Int) throws -> String {
        guard nesting < 2 else { throw failure("fields nested too deeply in a format") }
        var result = ""
        var rest = try interpreter.formatCharacters(format)
        while let character = rest.popFirst() {
            switch character {
            case "{":
                if rest.first == "{" {
                    rest = rest.dropFirst()
                    result += "{"
                } else {
                    let text = try field(try takeField(&rest), nesting: nesting)
                    try interpreter.budget.allocateString(text.utf8.count)
                    result += text
                }
            case "}":
                guard rest.popFirst() == "}" else { throw failure("single '}' in a format") }
                result += "}"
            default: result.append(character)
            }
        }
        return result
    }

    /// The inside of a field up to its closing brace.
    private func takeField(_ rest: inout ArraySlice<Character>) throws -> String {
        var open = 1
        for position in rest.indices {
            if rest[position] == "{" { open += 1 }
            if rest[position] == "}" { open -= 1 }
            guard open == 0 else { continue }
            defer { rest = rest[(position + 1)...] }
            return String(rest[..<position])
        }
        throw failure("a '{' in a format is not closed")
    }

    private mutating func field(_ field: String, nesting: Int) throws -> String {
        var name = field
        var specText = ""
        if let colon = field.firstIndex(of: ":") {
            name = String(field[..<colon])
            specText = String(field[field.index(after: colon)...])
        }
        var conversion: Character?
        if let mark = name.firstIndex(of: "!") {
            let rest = name[name.index(after: mark)...]
            guard let first = rest.first, rest.count == 1 else { throw failure("a format's conversion is one letter") }
            conversion = first
            name = String(name[..<mark])
        }
        var value = try lookUp(name)
        let spec = specText.isEmpty ? "" : try expand(specText, nesting: nesting + 1)
        switch conversion {
        case nil: break
        case "s": value = .string(try interpreter.text(of: value))
        case "r", "a": value = .string(try interpreter.repr(of: value))
        default: throw failure("a format's conversion is one of 's', 'r' and 'a'")
        }
        let text = try print(value, spec)
        return escapes && !value.isMarkup ? try interpreter.escapedForHTML(text) : text
    }

    private func print(_ value: RenderValue, _ specText: String) throws -> String {
        if specText.isEmpty { return try interpreter.text(of: value) }
        let spec = try PythonFormatSpec(specText)
        switch value {
        case .string(let text), .markup(let text): return try spec.format(text: text)
        case .int(let number): return try spec.format(integer: number)
        case .bool(let isTrue): return try spec.format(integer: isTrue ? 1 : 0)
        case .double(let number): return try spec.format(double: number)
        default: throw failure("'\(value.typeName)' cannot be printed with the format '\(specText)'")
        }
    }

    /// The value of a field's name: an argument, then attributes and items of it.
    private mutating func lookUp(_ name: String) throws -> RenderValue {
        let first = name.prefix { $0 != "." && $0 != "[" }
        guard name.isEmpty || !first.isEmpty else { throw failure("a format's field has no name before '\(name)'") }
        var value = try argument(String(first))
        var rest = Array(name.dropFirst(first.count))[...]
        while let mark = rest.popFirst() {
            if mark == "." {
                let attribute = String(rest.prefix { $0 != "." && $0 != "[" })
                rest = rest.dropFirst(attribute.count)
                value = try interpreter.attribute(attribute, PythonMethod.named(attribute), of: value)
            } else {
                guard let close = rest.firstIndex(of: "]") else { throw failure("a '[' in a format is not closed") }
                let key = String(rest[..<close])
                rest = rest[(close + 1)...]
                value = try interpreter.item(Int(key).map { .int($0) } ?? .string(key), of: value)
            }
        }
        return value
    }

    private mutating func argument(_ name: String) throws -> RenderValue {
        if let number = name.isEmpty ? nextPosition : Int(name) {
            guard numbersFields ?? name.isEmpty == name.isEmpty else {
                throw failure("a format either numbers all its fields or none")
            }
            numbersFields = name.isEmpty
            if name.isEmpty { nextPosition += 1 }
            guard positional.indices.contains(number) else { throw failure("a format has more fields than arguments") }
            return positional[number]
        }
        guard case .dict(let dict) = named, let value = dict[name] else {
            throw failure("the format's name '\(name)' is not there")
        }
        return value
    }
}

extension JinjaInterpreter {
    /// The code points of a format, each as a character of its own.
    func formatCharacters(_ format: String) throws -> ArraySlice<Character> {
        try budget.walk(format)
        try budget.allocate(format.utf8.count * MemoryLayout<Character>.stride)
        return format.unicodeScalars.map(Character.init)[...]
    }
}
