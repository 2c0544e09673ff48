// PythonPercentFormat: the % operator of strings: "…%s…" % values.

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

        var rest = try interpreter.formatCharacters(format)
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
        guard usedNames || mayBeUnused(values) || next == sequence.count else {
            throw failure("not all arguments converted during string formatting")
        }
        return result
    }

    /// Values that could be asked for by name need not all be used; Python counts lists among them.
    private static func mayBeUnused(_ values: RenderValue) -> Bool {
        switch values {
        case .dict, .list, .range, .undefined: true
        default: false
        }
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
