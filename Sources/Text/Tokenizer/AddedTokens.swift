// Tokens matched in the text itself, before the model sees it: special tokens and others added to a vocabulary.

/// The added tokens of a tokenizer, and the search for them.
struct AddedTokens: Sendable {
    /// A stretch of text: an added token, or what lies between two.
    enum Segment: Equatable {
        case token(UInt32)
        case text(ByteRange)
    }

    /// The two passes in which they are looked for: those to be matched as they stand in the raw text, then, in the
    /// normalized text between, the others in their normalized form.
    enum Pass: Sendable {
        case raw
        case normalized
    }

    private struct Token: Sendable {
        let definition: TokenizerFile.AddedToken
        /// What it decodes to, before the decoder: its content, normalized where it is matched so.
        let content: [UInt8]
    }

    private var tokens: [Token] = []
    private var indices: [UInt32: Int] = [:]
    private var ids: [[UInt8]: UInt32] = [:]
    private var matchers: (raw: TokenMatcher?, normalized: TokenMatcher?) = (nil, nil)

    /// One more than the largest id; 0 when there are none.
    var count: Int { (indices.keys.max().map(Int.init) ?? -1) + 1 }

    /// - Throws: `TokenizerProblem` when an id is given twice, or is another token's in the vocabulary.
    init(
        _ definitions: [TokenizerFile.AddedToken], vocabulary: Vocabulary, normalizer: TextNormalizer,
        _ workspace: EncodingWorkspace
    ) throws {
        for (index, definition) in definitions.enumerated() where !definition.content.isEmpty {
            let field = "added_tokens[\(index)]"
            let spelled = Array(definition.content.utf8)
            try Self.check(definition, spelled, field: field, vocabulary)
            if let other = indices[definition.id], tokens[other].definition.content != definition.content {
                throw TokenizerProblem(
                    field: field, "has the id \(definition.id) of \(quoted(tokens[other].definition.content))")
            }
            let content =
                definition.isNormalized
                ? spelled.withUnsafeBufferPointer { Array(normalizer.normalized($0, workspace)) } : spelled
            indices[definition.id] = tokens.count
            ids[spelled] = definition.id
            if definition.isNormalized {
                matchers.normalized = matchers.normalized ?? TokenMatcher()
                if !content.isEmpty { matchers.normalized?.insert(content, number: tokens.count) }
            } else {
                matchers.raw = matchers.raw ?? TokenMatcher()
                matchers.raw?.insert(spelled, number: tokens.count)
            }
            tokens.append(Token(definition: definition, content: content))
        }
    }

    private static func check(
        _ definition: TokenizerFile.AddedToken, _ content: [UInt8], field: String, _ vocabulary: Vocabulary
    ) throws {
        guard content.count <= TokenizerLimits.tokenBytesMax else {
            throw TokenizerProblem(
                field: field + ".content",
                "has \(content.count) bytes; at most \(TokenizerLimits.tokenBytesMax) are supported")
        }
        if let other = content.withUnsafeBufferPointer({ vocabulary.id(of: $0) }), other != definition.id {
            throw TokenizerProblem(
                field: field + ".id",
                "is \(definition.id), but model.vocab gives \(quoted(definition.content)) the id \(other)")
        }
    }

    /// What a token decodes to, before the decoder; nil for an id that is no added token.
    func content(of id: UInt32) -> [UInt8]? {
        indices[id].map { tokens[$0].content }
    }

    func id(of content: String) -> UInt32? {
        ids[Array(content.utf8)]
    }

    func isSpecial(_ id: UInt32) -> Bool {
        indices[id].map { tokens[$0].definition.isSpecial } ?? false
    }

    /// Cuts a text (valid UTF-8) at the added tokens of one pass, and hands each stretch over in order.
    func forEachSegment(
        of text: UnsafeBufferPointer<UInt8>, _ pass: Pass, _ body: (Segment) -> Void
    ) {
        let matcher =
            switch pass {
            case .raw: matchers.raw
            case .normalized: matchers.normalized
            }
        var textStart = 0
        var searchStart = 0
        while let match = matcher?.firstMatch(in: text, from: searchStart) {
            searchStart = match.range.end
            let token = tokens[match.number].definition
            var range = match.range
            if token.singleWord && Self.touchesWord(range, in: text) { continue }
            if token.stripsLeft {
                while let (scalar, start) = Self.scalar(endingAt: range.start, in: text), start >= textStart,
                    scalar.properties.isWhitespace
                {
                    range.start = start
                }
            }
            if token.stripsRight {
                while let (scalar, end) = Self.scalar(startingAt: range.end, in: text),
                    scalar.properties.isWhitespace
                {
                    range.end = end
                }
            }
            if textStart < range.start { body(.text(ByteRange(start: textStart, end: range.start))) }
            body(.token(token.id))
            textStart = range.end
        }
        if textStart < text.count { body(.text(ByteRange(start: textStart, end: text.count))) }
    }

    private static func touchesWord(_ range: ByteRange, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        let before = scalar(endingAt: range.start, in: text).map { isWordCharacter($0.scalar) } ?? false
        let after = scalar(startingAt: range.end, in: text).map { isWordCharacter($0.scalar) } ?? false
        return before || after
    }

    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: scalar.properties.isAlphabetic || scalar.properties.isJoinControl
        }
    }

    private static func scalar(
        startingAt start: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> (scalar: Unicode.Scalar, end: Int)? {
        var decoder = UTF8()
        var bytes = text[start...].makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&bytes) else { return nil }
        return (scalar, start + UTF8.width(scalar))
    }

    private static func scalar(
        endingAt end: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> (scalar: Unicode.Scalar, start: Int)? {
        guard end > 0 else { return nil }
        var start = end - 1
        while start > 0 && text[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(startingAt: start, in: text).map { ($0.scalar, start) }
    }
}
