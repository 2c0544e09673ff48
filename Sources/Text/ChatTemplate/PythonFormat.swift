// PythonFormat: "…%s…" % values, and "…{}…".format(values).

/// The code points of a format, each as a character of its own.
private func formatCharacters(_ format: String, in interpreter: JinjaInterpreter) throws -> ArraySlice<Character> {
    try interpreter.budget.allocate(format.utf8.count * MemoryLayout<Character>.stride)
    return format.unicodeScalars.map(Character.init)[...]
}

/// The % operator of strings.
enum PythonPercentFormat {
    /// `format % values`. With `escapes`, values are escaped for HTML.
    static func format(
        _ format: String, _ values: RenderValue, in interpreter: JinjaInterpreter, escapes: Bool = false
    ) throws -> String {
        var result = ""
        var next = 0
        let sequence: [RenderValue]
        if case .tuple(let tuple) = values { sequence = tuple.elements } else { sequence = [values] }
        func failure(_ message: String) -> ChatTemplateError { interpreter.failure(message) }
        func take() throws -> RenderValue {
            guard next < sequence.count else { throw failure("not enough arguments for format string") }
            next += 1
            return sequence[next - 1]
        }

        var rest = try formatCharacters(format, in: interpreter)
        var usedNames = false
        while !rest.isEmpty {
            let plain = rest.prefix { $0 != "%" }
            result += String(plain)
            rest = rest.dropFirst(plain.count)
            guard rest.popFirst() != nil else { break }

            var spec = PythonFormatSpec()
            var named: RenderValue?
            if rest.first == "(" {
                guard let close = rest.firstIndex(of: ")"), case .dict(let dict) = values else {
                    throw failure("a format with a name needs a mapping")
                }
                let name = String(rest[(rest.startIndex + 1)..<close])
                guard let value = dict[name] else { throw failure("the format's name '\(name)' is not there") }
                (named, usedNames) = (value, true)
                rest = rest[(close + 1)...]
            }
            readFlags(&rest, &spec)
            if rest.first == "*" {
                rest = rest.dropFirst()
                let width = try star(try take(), failure)
                spec.width = Int(width.magnitude)
                if width < 0 { (spec.alignment, spec.fill) = (.left, " ") }
            } else {
                spec.width = try PythonFormatSpec.takeNumber(&rest) ?? 0
            }
            if rest.first == "." {
                rest = rest.dropFirst()
                if rest.first == "*" {
                    rest = rest.dropFirst()
                    spec.precision = max(0, try star(try take(), failure))
                } else {
                    spec.precision = try PythonFormatSpec.takeNumber(&rest) ?? 0
                }
            }
            // C's length modifiers mean nothing.
            if let first = rest.first, "hlL".contains(first) { rest = rest.dropFirst() }
            guard let conversion = rest.popFirst() else { throw failure("incomplete format") }
            if conversion == "%" {
                result += "%"
                continue
            }
            let value = try named ?? take()
            let text = try print(value, conversion, spec, in: interpreter, escapes: escapes)
            try interpreter.budget.allocateString(text.utf8.count)
            result += text
        }
        let takesAll = usedNames || { if case .dict = values { true } else { false } }()
        guard takesAll || next == sequence.count else { throw failure("not all arguments converted during string formatting") }
        return result
    }

    private static func star(_ value: RenderValue, _ failure: (String) -> ChatTemplateError) throws -> Int {
        guard let number = value.integer, abs(number.clamped) <= PythonFormatSpec.numberMax else {
            throw failure("* wants an integer of at most \(PythonFormatSpec.numberMax)")
        }
        return number
    }

    private static func readFlags(_ rest: inout ArraySlice<Character>, _ spec: inout PythonFormatSpec) {
        while let flag = rest.first {
            switch flag {
            case "-": (spec.alignment, spec.fill) = (.left, " ")
            case "+": spec.sign = .always
            case " ": if spec.sign != .always { spec.sign = .space }
            case "#": spec.isAlternate = true
            case "0": if spec.alignment != .left { (spec.alignment, spec.fill) = (.inside, "0") }
            default: return
            }
            rest = rest.dropFirst()
        }
    }

    private static func print(
        _ value: RenderValue, _ conversion: Character, _ spec: PythonFormatSpec, in interpreter: JinjaInterpreter,
        escapes: Bool
    ) throws -> String {
        var spec = spec
        func asText(_ text: String) throws -> String {
            spec.conversion = nil
            if spec.alignment != .left { (spec.alignment, spec.fill) = (.right, " ") }
            return try spec.format(text: escapes && !value.isMarkup ? interpreter.escapedForHTML(text) : text)
        }
        switch conversion {
        case "s": return try asText(try interpreter.text(of: value))
        case "r", "a": return try asText(try interpreter.repr(of: value))
        case "c":
            if let text = value.text {
                guard PythonText.scalarCount(text) == 1 else { throw interpreter.failure("%c requires one character") }
                return try asText(text)
            }
            guard let scalar = value.integer.flatMap(UInt32.init(exactly:)).flatMap(Unicode.Scalar.init) else {
                throw interpreter.failure("%c requires an integer or a character")
            }
            return try asText(String(scalar))
        case "d", "i", "u", "x", "X", "o":
            let isDecimal = "diu".contains(conversion)
            if isDecimal, case .bigInteger(let digits) = value { return digits }
            var number = value.integer
            if isDecimal, case .double(let double) = value { number = Int(exactly: double.rounded(.towardZero)) }
            guard let number else {
                throw interpreter.failure("%\(conversion) format: a number is required, not \(value.typeName)")
            }
            spec.conversion = isDecimal ? "d" : conversion
            if let precision = spec.precision { return try withLeastDigits(precision, number, spec) }
            return try spec.format(integer: number)
        case "e", "E", "f", "F", "g", "G":
            guard let number = value.number else {
                throw interpreter.failure("must be real number, not \(value.typeName)")
            }
            spec.conversion = conversion
            return try spec.format(double: number)
        default: throw interpreter.failure("unsupported format character '\(conversion)'")
        }
    }

    /// An integer with at least `count` digits.
    private static func withLeastDigits(_ count: Int, _ number: Int, _ spec: PythonFormatSpec) throws -> String {
        var digits = PythonFormatSpec()
        digits.conversion = spec.conversion
        digits.isAlternate = spec.isAlternate
        digits.sign = spec.sign
        (digits.alignment, digits.fill) = (.inside, "0")
        let bare = try digits.format(integer: number)
        let signAndPrefix = bare.count - String(number.magnitude, radix: radix(spec.conversion)).count
        digits.width = count + signAndPrefix
        var padding = spec
        (padding.conversion, padding.precision) = (nil, nil)
        if padding.alignment != .left { (padding.alignment, padding.fill) = (.right, " ") }
        return try padding.format(text: try digits.format(integer: number))
    }

    private static func radix(_ conversion: Character?) -> Int {
        switch conversion {
        case "x", "X": 16
        case "o": 8
        default: 10
        }
    }
}

extension Int {
    /// The same, without the one value that has no magnitude of its own type.
    fileprivate var clamped: Int { Swift.max(self, -Int.max) }
}

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
        var rest = try formatCharacters(format, in: interpreter)
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
        let spec = try expand(specText, nesting: nesting + 1)
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
        var value = try argument(String(first))
        var rest = Array(name.dropFirst(first.count))[...]
        while let mark = rest.popFirst() {
            if mark == "." {
                let attribute = String(rest.prefix { $0 != "." && $0 != "[" })
                rest = rest.dropFirst(attribute.count)
                value = try interpreter.attribute(attribute, PythonMethod(rawValue: attribute), of: value)
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
