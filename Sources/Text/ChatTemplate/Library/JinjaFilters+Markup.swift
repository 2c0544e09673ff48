// JinjaFilters+Markup: filters for HTML and addresses.

extension JinjaFilters {
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
        case .list, .tuple, .range, .object: pairs = try interpreter.items(of: value)
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
        try interpreter.budget.search(text)
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
    /// `text` with the five characters replaced that mean something in HTML.
    func escapedForHTML(_ text: String) throws -> String {
        try budget.search(text)
        try budget.allocateString(text.utf8.count)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): result += "&amp;".utf8
            case UInt8(ascii: "<"): result += "&lt;".utf8
            case UInt8(ascii: ">"): result += "&gt;".utf8
            case UInt8(ascii: "'"): result += "&#39;".utf8
            case UInt8(ascii: "\""): result += "&#34;".utf8
            default: result.append(byte)
            }
        }
        try budget.allocateString(result.count)
        return PythonText.string(result)
    }

    /// `text` without HTML's tags and comments, each run of white space one space, the five escapes read back.
    func stripTags(_ text: String) throws -> String {
        try budget.search(text)
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
        let entities = [
            ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&"),
        ]
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
