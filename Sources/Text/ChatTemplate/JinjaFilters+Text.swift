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
        try interpreter.budget.allocateString(text.utf8.count * 2)
        func isBoundary(_ scalar: Unicode.Scalar) -> Bool { PythonText.isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar) }
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
        guard length >= endCount, leeway >= 0 else { throw reader.failure("'length' is too small or 'leeway' negative") }
        guard let count = try interpreter.length(of: value), let text = value.text else {
            if value.isUndefined { return value }
            throw interpreter.failure("truncate wants a string, not \(value.typeName)")
        }
        if count - length <= leeway { return value }
        try interpreter.budget.allocateString(text.utf8.count)
        var kept = PythonText.slice(text, 0, length - endCount)
        if !cutsWords, let space = kept.unicodeScalars.lastIndex(of: " ") { kept = String(kept[..<space]) }
        return value.isMarkup ? .markup(kept + (try interpreter.escapedForHTML(end))) : .string(kept + end)
    }

    static let wordcount: Body = { interpreter, value, reader in
        try reader.finish()
        let text = try interpreter.text(of: value)
        try interpreter.budget.scan(text)
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

    // MARK: HTML and addresses

    static let safe: Body = { interpreter, value, reader in
        try reader.finish()
        return .markup(try interpreter.text(of: value))
    }

    static let escape: Body = { interpreter, value, reader in
        try reader.finish()
        if value.isMarkup { return value }
        return .markup(try interpreter.escapedForHTML(try interpreter.text(of: value)))
    }

    static let forceescape: Body = { interpreter, value, reader in
        try reader.finish()
        return .markup(try interpreter.escapedForHTML(try interpreter.text(of: value)))
    }

    static let striptags: Body = { interpreter, value, reader in
        try reader.finish()
        return .string(try interpreter.stripTags(try interpreter.text(of: value)))
    }

    static let xmlattr: Body = { interpreter, value, reader in
        let startsWithSpace = try reader.flag("autospace", default: true)
        try reader.finish()
        guard case .dict(let dict) = value else { throw reader.failure("wants a mapping, not \(value.typeName)") }
        var attributes: [String] = []
        for (key, value) in zip(dict.keys, dict.values) where !value.isNone && !value.isUndefined {
            guard let name = key.text, !name.utf8.contains(where: { " \t\n\r\u{B}\u{C}/>=".utf8.contains($0) }) else {
                throw reader.failure("an attribute's name has a character that is not allowed there")
            }
            let text = try interpreter.text(of: value)
            let shown = value.isMarkup ? text : try interpreter.escapedForHTML(text)
            attributes.append("\(try interpreter.escapedForHTML(name))=\"\(shown)\"")
        }
        let joined = try interpreter.join(" ", attributes)
        return .string(startsWithSpace && !joined.isEmpty ? " " + joined : joined)
    }

    static let urlencode: Body = { interpreter, value, reader in
        try reader.finish()
        func quoted(_ value: RenderValue, inQuery: Bool) throws -> String {
            try percentEncoded(try interpreter.text(of: value), inQuery: inQuery, interpreter)
        }
        let pairs: [RenderValue]
        switch value {
        case .dict(let dict): pairs = zip(dict.keys, dict.values).map { .pair($0, $1) }
        case .list, .tuple, .object: pairs = try interpreter.items(of: value)
        default: return .string(try quoted(value, inQuery: false))
        }
        let parts = try pairs.map { pair in
            let members = try interpreter.items(of: pair)
            guard members.count == 2 else { throw reader.failure("wants pairs of a name and a value") }
            return try quoted(members[0], inQuery: true) + "=" + quoted(members[1], inQuery: true)
        }
        return .string(try interpreter.join("&", parts))
    }

    private static func percentEncoded(
        _ text: String, inQuery: Bool, _ interpreter: JinjaInterpreter
    ) throws -> String {
        try interpreter.budget.allocateString(text.utf8.count, times: 3)
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: " ") where inQuery: result.append(UInt8(ascii: "+"))
            case _ where PythonText.digitValue(byte, radix: 36) != nil || "_.-~".utf8.contains(byte),
                UInt8(ascii: "/") where !inQuery:
                result.append(byte)
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return PythonText.string(result)
    }
}

extension JinjaInterpreter {
    /// `text` without HTML's tags and comments, each run of white space one space, the five escapes read back.
    func stripTags(_ text: String) throws -> String {
        try budget.allocateString(text.utf8.count)
        var kept = ""
        var rest = text.utf8[...]
        while let open = rest.firstIndex(of: UInt8(ascii: "<")) {
            let isComment = rest[open...].starts(with: "<!--".utf8)
            let close = isComment ? endOfComment(rest[open...]) : rest[open...].firstIndex(of: UInt8(ascii: ">"))
            guard let close else { break }
            kept += String(decoding: rest[..<open], as: UTF8.self)
            rest = rest[rest.index(after: close)...]
        }
        kept += String(decoding: rest, as: UTF8.self)
        try budget.allocateValues(PythonText.partsMax(kept))
        var result = PythonText.words(kept).joined(separator: " ")
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&")]
        for (entity, character) in entities where result.utf8.contains(UInt8(ascii: "&")) {
            result = try replace(result, entity, character)
        }
        return result
    }

    /// Where the first `-->` ends.
    private func endOfComment(_ text: Substring.UTF8View) -> Substring.UTF8View.Index? {
        var dashes = 0
        for position in text.indices.dropFirst(4) {
            if text[position] == UInt8(ascii: ">"), dashes >= 2 { return position }
            dashes = text[position] == UInt8(ascii: "-") ? dashes + 1 : 0
        }
        return nil
    }
}
