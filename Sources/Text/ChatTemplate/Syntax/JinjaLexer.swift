// JinjaLexer: cuts a template's source into text and tokens, with the white space around tags trimmed.
//
// As the reference is set up: trim_blocks (a newline right after a block or comment goes), lstrip_blocks (so do spaces
// before one at the start of its line), one newline at the end of the source goes, "-" and "+" override.

/// One pass over the bytes of a template's source.
struct JinjaLexer {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var tokens: [JinjaToken] = []
    /// Whether the last thing read ended a line.
    private var isAtLineStart = true

    /// The tokens of `source`, the last of which is `end`.
    static func tokens(of source: String) throws -> [JinjaToken] {
        var lexer = JinjaLexer(source)
        try lexer.readAll()
        return lexer.tokens
    }

    private init(_ source: String) {
        bytes = Self.withPlainNewlines(source)
    }

    /// Line ends as `\n`, without the last one.
    private static func withPlainNewlines(_ source: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.utf8.count)
        var wasReturn = false
        for byte in source.utf8 {
            if byte == UInt8(ascii: "\n"), wasReturn {
                wasReturn = false
                continue
            }
            wasReturn = byte == UInt8(ascii: "\r")
            bytes.append(wasReturn ? UInt8(ascii: "\n") : byte)
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }

    private func failure(_ message: String, line: Int? = nil) -> ChatTemplateError {
        ChatTemplateError(.syntax, message, line: line ?? self.line)
    }

    private mutating func add(_ kind: JinjaToken.Kind) { tokens.append(JinjaToken(kind: kind, line: line)) }

    private func byte(at position: Int) -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private func hasBytes(_ text: StaticString, at position: Int) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return position + wanted.count <= bytes.count && bytes[position...].starts(with: wanted)
    }

    /// Moves to `end` and counts the lines passed.
    private mutating func advance(to end: Int) {
        for byte in bytes[position..<end] where byte == UInt8(ascii: "\n") { line += 1 }
        if end > position { isAtLineStart = bytes[end - 1] == UInt8(ascii: "\n") }
        position = end
    }

    /// The first position from `start` on that holds no white space.
    private func skippingSpace(from start: Int) -> Int {
        var position = start
        while position < bytes.count {
            let (scalar, length) = scalar(at: position)
            guard PythonText.isSpace(scalar) else { break }
            position += length
        }
        return position
    }

    private func scalar(at position: Int) -> (Unicode.Scalar, length: Int) {
        let first = bytes[position]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        let text = PythonText.string(bytes[position..<min(position + length, bytes.count)])
        return (text.unicodeScalars.first ?? "\u{FFFD}", length)
    }

    // MARK: Text between tags

    private enum Opening {
        case block, output, comment
    }

    private mutating func readAll() throws {
        while let (start, opening) = nextOpening(from: position) {
            try readTag(opening, at: start)
        }
        if position < bytes.count {
            add(.text(PythonText.string(bytes[position...])))
            advance(to: bytes.count)
        }
        add(.end)
    }

    private func nextOpening(from start: Int) -> (Int, Opening)? {
        var position = start
        while let brace = bytes[position...].firstIndex(of: UInt8(ascii: "{")) {
            switch byte(at: brace + 1) {
            case UInt8(ascii: "%"): return (brace, .block)
            case UInt8(ascii: "{"): return (brace, .output)
            case UInt8(ascii: "#"): return (brace, .comment)
            default: position = brace + 1
            }
        }
        return nil
    }

    /// Reads the text before a tag that starts at `start`, and the tag.
    private mutating func readTag(_ opening: Opening, at start: Int) throws {
        addText(upTo: start, sign: byte(at: start + 2), isOutput: opening == .output)
        let sign = byte(at: start + 2)
        let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
        let inside = start + (hasSign ? 3 : 2)
        switch opening {
        case .comment:
            advance(to: inside)
            try skipComment()
        case .output:
            add(.outputBegin)
            advance(to: inside)
            try readExpressionTokens(isOutput: true)
        case .block:
            if let rawStart = endOfRawTag("raw", from: inside) {
                advance(to: rawStart)
                return try readRaw()
            }
            add(.blockBegin)
            advance(to: inside)
            try readExpressionTokens(isOutput: false)
        }
    }

    /// Adds the text from here to a tag at `end` whose sign is `sign`, trimmed as the sign says.
    private mutating func addText(upTo end: Int, sign: UInt8?, isOutput: Bool) {
        var textEnd = end
        if sign == UInt8(ascii: "-") {
            while textEnd > position, case let start = scalarStart(before: textEnd),
                PythonText.isSpace(scalar(at: start).0)
            {
                textEnd = start
            }
        } else if sign != UInt8(ascii: "+"), !isOutput {
            let lineStart = bytes[position..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
            if lineStart != nil || isAtLineStart, case let start = lineStart ?? position,
                skippingSpace(from: start) >= end
            {
                textEnd = start
            }
        }
        if textEnd > position { add(.text(PythonText.string(bytes[position..<textEnd]))) }
        advance(to: end)
    }

    private func scalarStart(before end: Int) -> Int {
        var start = end - 1
        while start > position, PythonText.isContinuation(bytes[start]) { start -= 1 }
        return start
    }

    /// Where a block or comment that closes at `close` (after its sign) goes on: with "-" after the white space that
    /// follows, with "+" right there, else after one newline.
    private func endOfTag(closingAt close: Int, sign: UInt8?) -> Int {
        let end = close + 2
        switch sign {
        case UInt8(ascii: "-"): return skippingSpace(from: end)
        case UInt8(ascii: "+"): return end
        default: return byte(at: end) == UInt8(ascii: "\n") ? end + 1 : end
        }
    }

    private mutating func skipComment() throws {
        var close = position
        while !hasBytes("#}", at: close) {
            guard close < bytes.count else { throw failure("a comment is not closed with '#}'") }
            close += 1
        }
        let sign = close > position ? bytes[close - 1] : nil
        advance(to: endOfTag(closingAt: close, sign: sign))
    }

    // MARK: raw

    /// Where a tag that says only `word` ends, if such a tag's inside starts at `inside`. `raw` keeps the newline
    /// after it, `endraw` loses it like any block.
    private func endOfRawTag(_ word: StaticString, from inside: Int) -> Int? {
        let start = skippingSpace(from: inside)
        guard hasBytes(word, at: start) else { return nil }
        let close = skippingSpace(from: start + word.utf8CodeUnitCount)
        if hasBytes("-%}", at: close) { return skippingSpace(from: close + 3) }
        guard word.utf8CodeUnitCount > 3 else { return hasBytes("%}", at: close) ? close + 2 : nil }
        if hasBytes("+%}", at: close) { return close + 3 }
        return hasBytes("%}", at: close) ? endOfTag(closingAt: close, sign: nil) : nil
    }

    private mutating func readRaw() throws {
        let firstLine = line
        var search = position
        while let brace = bytes[search...].firstIndex(of: UInt8(ascii: "{")) {
            search = brace + 1
            guard byte(at: brace + 1) == UInt8(ascii: "%") else { continue }
            let sign = byte(at: brace + 2)
            let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
            guard let end = endOfRawTag("endraw", from: brace + (hasSign ? 3 : 2)) else { continue }
            addText(upTo: brace, sign: sign, isOutput: false)
            return advance(to: end)
        }
        throw failure("'raw' is not closed with 'endraw'", line: firstLine)
    }

    // MARK: Inside tags

    private mutating func readExpressionTokens(isOutput: Bool) throws {
        let firstLine = line
        var open: [JinjaToken.Symbol] = []
        while position < bytes.count {
            if open.isEmpty, let end = endOfTag(isOutput: isOutput) {
                add(isOutput ? .outputEnd : .blockEnd)
                return advance(to: end)
            }
            let next = skippingSpace(from: position)
            if next > position {
                advance(to: next)
                continue
            }
            try readToken(open: &open)
        }
        throw failure("a tag is not closed with '\(isOutput ? "}}" : "%}")'", line: firstLine)
    }

    /// Where the text goes on if the tag closes here.
    private func endOfTag(isOutput: Bool) -> Int? {
        if isOutput {
            if hasBytes("-}}", at: position) { return skippingSpace(from: position + 3) }
            return hasBytes("}}", at: position) ? position + 2 : nil
        }
        let sign = bytes[position]
        if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+"), hasBytes("%}", at: position + 1) {
            return endOfTag(closingAt: position + 1, sign: sign)
        }
        return hasBytes("%}", at: position) ? endOfTag(closingAt: position, sign: nil) : nil
    }

    private mutating func readToken(open: inout [JinjaToken.Symbol]) throws {
        let first = bytes[position]
        if PythonText.digitValue(first, radix: 10) != nil { return try readNumber() }
        if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") { return try readString(quote: first) }
        if first == UInt8(ascii: "_") || first >= 0x80 || PythonText.digitValue(first, radix: 36) != nil {
            return try readName()
        }
        let rest = bytes[position...].prefix(2)
        guard let symbol = JinjaToken.Symbol.allCases.first(where: { rest.starts(with: $0.rawValue.utf8) }) else {
            throw failure("unexpected character '\(PythonText.string([first]))'")
        }
        try balance(symbol, in: &open)
        add(.symbol(symbol))
        advance(to: position + symbol.rawValue.utf8.count)
    }

    private func balance(_ symbol: JinjaToken.Symbol, in open: inout [JinjaToken.Symbol]) throws {
        switch symbol {
        case .leftBrace: open.append(.rightBrace)
        case .leftParenthesis: open.append(.rightParenthesis)
        case .leftBracket: open.append(.rightBracket)
        case .rightBrace, .rightParenthesis, .rightBracket:
            guard let expected = open.popLast() else { throw failure("unexpected '\(symbol.rawValue)'") }
            guard expected == symbol else {
                throw failure("unexpected '\(symbol.rawValue)', expected '\(expected.rawValue)'")
            }
        default: break
        }
    }

    private mutating func readName() throws {
        var end = position
        while end < bytes.count {
            let (scalar, length) = scalar(at: end)
            guard scalar == "_" || PythonCase.isAlphanumeric(scalar) || scalar.properties.isXIDContinue else { break }
            end += length
        }
        let name = PythonText.string(bytes[position..<end])
        guard PythonCase.isIdentifier(name) else {
            throw failure("unexpected character '\(scalar(at: position).0)'")
        }
        add(.name(name))
        advance(to: end)
    }

    private mutating func readString(quote: UInt8) throws {
        var end = position + 1
        while end < bytes.count, bytes[end] != quote { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
        guard end < bytes.count else { throw failure("a string is not closed with \(Unicode.Scalar(quote))") }
        do {
            add(.string(try JinjaStringLiteral.unescape(PythonText.string(bytes[(position + 1)..<end]))))
        } catch let error as ChatTemplateError {
            throw failure(error.message)
        }
        advance(to: end + 1)
    }

    private mutating func readNumber() throws {
        let literal = JinjaNumberLiteral(bytes: bytes, from: position)
        switch literal.value {
        case .int(let value): add(.int(value))
        case .bigInteger(let digits): add(.bigInteger(digits))
        case .double(let value): add(.double(value))
        default: throw failure("'\(PythonText.string(bytes[position..<literal.end]))' is no number")
        }
        advance(to: literal.end)
    }
}
