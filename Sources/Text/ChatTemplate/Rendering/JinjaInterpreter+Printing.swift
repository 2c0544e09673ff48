// JinjaInterpreter+Printing: values as text, as Python's str and repr give it.

extension JinjaInterpreter {
    /// Python's `str`: what `{{ value }}` prints.
    func text(of value: RenderValue) throws -> String {
        switch value {
        case .string(let text), .markup(let text): return text
        case .undefined: return ""
        case .int(let number): return String(number)
        default:
            var text = ""
            try appendRepr(of: value, to: &text)
            try budget.allocateString(text.utf8.count)
            return text
        }
    }

    /// Python's `repr`.
    func repr(of value: RenderValue) throws -> String {
        var text = ""
        try appendRepr(of: value, to: &text)
        try budget.allocateString(text.utf8.count)
        return text
    }

    private func appendRepr(of value: RenderValue, to text: inout String, nesting: Int = 0) throws {
        try budget.step()
        // Shared parts print each time they are met, so a small value can print large; a namespace can hold itself.
        guard text.utf8.count <= budget.limits.stringBytesMax, nesting <= budget.limits.valueNestingMax else {
            throw ChatTemplateError(.limit, "a value is too large or too deeply nested to print")
        }
        switch value {
        case .undefined: text += "Undefined"
        case .none: text += "None"
        case .bool(let value): text += value ? "True" : "False"
        case .int(let value): text += String(value)
        case .bigInteger(let digits): text += digits
        case .double(let value): text += PythonNumber.repr(value)
        case .string(let string):
            try budget.walk(string)
            text += Self.repr(ofText: string)
        case .markup(let string):
            try budget.walk(string)
            text += "Markup(\(Self.repr(ofText: string)))"
        case .list(let list): try appendRepr(of: list.elements, "[", "]", to: &text, nesting: nesting)
        case .tuple(let tuple):
            try appendRepr(of: tuple.elements, "(", tuple.elements.count == 1 ? ",)" : ")", to: &text, nesting: nesting)
        case .dict(let dict): try appendRepr(ofMembers: dict.keys, dict.values, to: &text, nesting: nesting)
        case .range(let range):
            text += "range(\(range.start), \(range.stop)" + (range.step == 1 ? ")" : ", \(range.step))")
        case .object(let namespace as RenderNamespace):
            text += "<Namespace "
            let names = namespace.names.map(RenderValue.string)
            try appendRepr(ofMembers: names, namespace.values, to: &text, nesting: nesting)
            text += ">"
        case .object(let view as RenderDictView):
            text += view.typeName
            try appendRepr(of: view.elements, "([", "])", to: &text, nesting: nesting)
        case .object(let loop as RenderLoop):
            text += "<LoopContext \(loop.index0 + 1)/\(try loop.count())>"
        case .object(let object): text += object.summary
        }
    }

    private func appendRepr(
        of elements: [RenderValue], _ open: String, _ close: String, to text: inout String, nesting: Int
    ) throws {
        text += open
        for (position, element) in elements.enumerated() {
            if position > 0 { text += ", " }
            try appendRepr(of: element, to: &text, nesting: nesting + 1)
        }
        text += close
    }

    private func appendRepr(
        ofMembers keys: [RenderValue], _ values: [RenderValue], to text: inout String, nesting: Int
    ) throws {
        text += "{"
        for (position, (key, value)) in zip(keys, values).enumerated() {
            if position > 0 { text += ", " }
            try appendRepr(of: key, to: &text, nesting: nesting + 1)
            text += ": "
            try appendRepr(of: value, to: &text, nesting: nesting + 1)
        }
        text += "}"
    }

    /// Python's `repr` of a string: in single quotes, unless it holds these and no double ones.
    static func repr(ofText string: String) -> String {
        let quote: Unicode.Scalar =
            string.utf8.contains(UInt8(ascii: "'")) && !string.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\\", quote: result.append(contentsOf: ["\\", scalar])
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case " "..."~": result.append(scalar)
            default:
                if scalar.value >= 0x80, PythonCase.isPrintable(scalar) {
                    result.append(scalar)
                } else {
                    result.append(contentsOf: Self.escape(scalar).unicodeScalars)
                }
            }
        }
        result.append(quote)
        return String(result)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        func hex(_ digits: Int) -> String {
            let text = String(scalar.value, radix: 16)
            return String(repeating: "0", count: digits - text.utf8.count) + text
        }
        return scalar.value < 0x100 ? "\\x" + hex(2) : scalar.value < 0x10000 ? "\\u" + hex(4) : "\\U" + hex(8)
    }
}
