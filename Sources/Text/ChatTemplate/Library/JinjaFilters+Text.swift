// JinjaFilters+Text: filters that make text.

extension JinjaFilters {
    /// What most text filters start with: a string stays as it is, marked safe or not; other values are printed.
    private static func softString(_ value: RenderValue, _ interpreter: JinjaInterpreter) throws -> RenderValue {
        switch value {
        case .string, .markup: value
        default: .string(try interpreter.text(of: value))
        }
    }

    /// A method of strings as a filter.
    private static func method(_ method: PythonMethod) -> Body {
        { interpreter, value, reader in
            let receiver = try softString(value, interpreter)
            return try interpreter.call(method, of: receiver, reader.arguments)
        }
    }

    static let upper = method(.upper)
    static let lower = method(.lower)
    static let capitalize = method(.capitalize)
    static let trim = method(.strip)

    static let string: Body = { interpreter, value, reader in
        try reader.finish()
        return try softString(value, interpreter)
    }

    /// Unlike the method: a word starts after white space, a hyphen or an opening bracket only.
    static let title: Body = { interpreter, value, reader in
        try reader.finish()
        let text = try interpreter.text(of: value)
        try interpreter.budget.walk(text)
        try interpreter.budget.allocateString(text.utf8.count * 2)
        func isBoundary(_ scalar: Unicode.Scalar) -> Bool {
            PythonText.isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar)
        }
        var result = ""
        var rest = text.unicodeScalars[...]
        while !rest.isEmpty {
            let isWord = !isBoundary(rest[rest.startIndex])
            let part = rest.prefix { isBoundary($0) != isWord }
            rest = rest[part.endIndex...]
            guard isWord, let first = part.first else {
                result += String(part)
                continue
            }
            result += first.properties.uppercaseMapping + PythonCase.lower(String(part.dropFirst()))
        }
        return .string(result)
    }

    static let replace: Body = { interpreter, value, reader in
        let old = try interpreter.text(of: try reader.required("old"))
        let new = try interpreter.text(of: try reader.required("new"))
        let count = try reader.optionalInteger("count") ?? -1
        try reader.finish()
        let text = try interpreter.text(of: value)
        return .string(try interpreter.replace(text, old, new, countMax: count < 0 ? .max : count))
    }

    static let center: Body = { interpreter, value, reader in
        let width = try reader.optionalInteger("width") ?? 80
        try reader.finish()
        let text = try interpreter.text(of: value)
        let padded = try interpreter.padded(text, width: width, fill: " ", .center)
        return value.isMarkup ? .markup(padded) : .string(padded)
    }

    static let indent: Body = { interpreter, value, reader in
        let width = try reader.optional("width") ?? .int(4)
        let includesFirst = try reader.flag("first")
        let includesBlank = try reader.flag("blank")
        try reader.finish()
        if case .undefined(let reason) = value { throw interpreter.failure(reason.message) }
        guard let text = value.text else {
            throw interpreter.failure("indent wants a string, not \(value.typeName)")
        }
        let indentation: String
        if let given = width.text {
            indentation = given
        } else {
            guard let count = width.integer else { throw reader.failure("'width' must be an integer or a string") }
            try interpreter.budget.allocateString(max(count, 0))
            indentation = String(repeating: " ", count: max(count, 0))
        }
        try interpreter.budget.allocateValues(PythonText.partsMax(text))
        try interpreter.budget.search(text)
        let lines = PythonText.lines(text + "\n")
        try interpreter.budget.allocateString(indentation.utf8.count, times: lines.count + 1)
        try interpreter.budget.allocateString(text.utf8.count)
        var result = includesFirst ? indentation : ""
        for (position, line) in lines.enumerated() {
            if position > 0 { result += "\n" + (includesBlank || !line.isEmpty ? indentation : "") }
            result += line
        }
        return value.isMarkup ? .markup(result) : .string(result)
    }

    static let truncate: Body = { interpreter, value, reader in
        let length = try reader.optionalInteger("length") ?? 255
        let cutsWords = try reader.flag("killwords")
        let end = try reader.optionalString("end") ?? "..."
        let leeway = try reader.optionalInteger("leeway") ?? 5
        try reader.finish()
        let endCount = PythonText.scalarCount(end)
        guard length >= endCount, leeway >= 0 else {
            throw reader.failure("'length' is too small or 'leeway' negative")
        }
        let count = try interpreter.length(of: value)
        if let count, count - length <= leeway { return value }
        guard let text = value.text else {
            throw interpreter.failure("truncate wants a string, not \(value.typeName)")
        }
        try interpreter.budget.allocateString(text.utf8.count)
        var kept = PythonText.slice(text, 0, length - endCount)
        if !cutsWords, let space = kept.unicodeScalars.lastIndex(of: " ") { kept = String(kept[..<space]) }
        return value.isMarkup ? .markup(kept + (try interpreter.escapedForHTML(end))) : .string(kept + end)
    }

    static let wordcount: Body = { interpreter, value, reader in
        try reader.finish()
        let text = try interpreter.text(of: value)
        try interpreter.budget.walk(text)
        var count = 0
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isWord = scalar == "_" || PythonCase.isAlphanumeric(scalar)
            if isWord, !isInWord { count += 1 }
            isInWord = isWord
        }
        return .int(count)
    }

    static let format: Body = { interpreter, value, reader in
        let positional = reader.remaining()
        let named = reader.remainingNamed()
        guard positional.isEmpty || named.isEmpty else {
            throw reader.failure("can't handle positional and keyword arguments at the same time")
        }
        let values =
            named.isEmpty
            ? try interpreter.budget.tuple(positional)
            : try interpreter.budget.dict(named.map { (.string($0.name), $0.value) })
        return try interpreter.arithmetic(try softString(value, interpreter), .remainder, values)
    }

}
