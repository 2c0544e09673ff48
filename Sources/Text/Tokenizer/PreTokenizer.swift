// Cuts text into the pieces that the model sees one by one.

/// The pre-tokenizer of a tokenizer: a row of rules, each cutting the pieces of the one before.
struct PreTokenizer: Sendable {
    private enum Rule: Sendable {
        case split(RegularExpression, SplitBehavior, isInverted: Bool)
        /// Every piece that does not begin with a blank gets one.
        case prefixSpace
    }

    private let rules: [Rule]
    /// Whether the model sees bytes (spelled in `ByteLevelAlphabet`) rather than characters.
    let isByteLevel: Bool

    /// - Throws: `TokenizerProblem` when a pattern does not compile or the byte level is not the last rule.
    init(_ definition: PreTokenizerDefinition?) throws {
        var rules: [Rule] = []
        var isByteLevel = false
        try definition.map { try Self.append($0, to: &rules, &isByteLevel, field: "pre_tokenizer") }
        self.rules = rules
        self.isByteLevel = isByteLevel
    }

    private static func append(
        _ definition: PreTokenizerDefinition, to rules: inout [Rule], _ isByteLevel: inout Bool, field: String
    ) throws {
        guard !isByteLevel else {
            throw TokenizerProblem(field: field, "comes after ByteLevel, which must be the last pre-tokenizer")
        }
        do {
            switch definition {
            case .split(.regex(let pattern), let behavior, let isInverted):
                rules.append(.split(try RegularExpression(oniguruma: pattern), behavior, isInverted: isInverted))
            case .split(.literal(let text), let behavior, let isInverted):
                // As in the library that defines the format: nothing is found where nothing is looked for.
                guard !text.isEmpty else { return }
                rules.append(.split(try RegularExpression(literal: text), behavior, isInverted: isInverted))
            case .byteLevel(let addsPrefixSpace, let usesPattern):
                if addsPrefixSpace { rules.append(.prefixSpace) }
                if usesPattern { rules.append(try split(byteLevelPattern, .isolated)) }
                isByteLevel = true
            case .digits(let individually):
                rules.append(try split(#"\p{N}"#, individually ? .isolated : .contiguous))
            case .punctuation(let behavior):
                rules.append(try split(#"[!-/:-@\[-`{-~\p{P}]"#, behavior))
            case .whitespace:
                rules.append(.split(try RegularExpression(oniguruma: #"\w+|[^\w\s]+"#), .removed, isInverted: true))
            case .whitespaceSplit:
                rules.append(try split(#"\s"#, .removed))
            case .sequence(let definitions):
                for (index, definition) in definitions.enumerated() {
                    try append(definition, to: &rules, &isByteLevel, field: "\(field).pretokenizers[\(index)]")
                }
            }
        } catch let problem as TokenizerProblem where problem.field == nil {
            throw TokenizerProblem(field: field + ".pattern", problem.problem)
        }
    }

    private static func split(_ pattern: String, _ behavior: SplitBehavior) throws -> Rule {
        .split(try RegularExpression(oniguruma: pattern), behavior, isInverted: false)
    }

    /// The pattern that ByteLevel stands for: GPT-2's, a part of the format.
    private static let byteLevelPattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Cuts a text.
    ///
    /// - Parameter text: valid UTF-8.
    /// - Returns: the pieces, none of them empty, as ranges of the bytes returned with them (the text itself, or a copy
    ///   with blanks put in). Both are valid until the workspace is used again.
    func pieces(
        of text: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace
    ) -> (bytes: UnsafeBufferPointer<UInt8>, ranges: UnsafeMutableBufferPointer<ByteRange>) {
        var bytes = text
        workspace.pieces.removeAll()
        if !text.isEmpty { workspace.pieces.append(ByteRange(start: 0, end: text.count)) }
        for rule in rules {
            workspace.nextPieces.removeAll()
            switch rule {
            case .split(let expression, let behavior, let isInverted):
                for range in workspace.pieces.elements {
                    Self.split(
                        bytes, range, by: expression, workspace.expressionScratch,
                        PieceCollector(behavior, isInverted: isInverted, into: workspace.nextPieces))
                }
            case .prefixSpace:
                workspace.prefixed.removeAll()
                for range in workspace.pieces.elements {
                    let start = workspace.prefixed.count
                    if bytes[range.start] != UInt8(ascii: " ") { workspace.prefixed.append(UInt8(ascii: " ")) }
                    workspace.prefixed.append(
                        contentsOf: UnsafeBufferPointer(rebasing: bytes[range.start..<range.end]))
                    workspace.nextPieces.append(ByteRange(start: start, end: workspace.prefixed.count))
                }
                bytes = UnsafeBufferPointer(workspace.prefixed.elements)
            }
            swap(&workspace.pieces, &workspace.nextPieces)
        }
        return (bytes, workspace.pieces.elements)
    }

    /// Cuts one piece, which is all there is for the expression.
    private static func split(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: ByteRange, by expression: RegularExpression,
        _ scratch: RegularExpressionScratch, _ collector: consuming PieceCollector
    ) {
        let subject = UnsafeBufferPointer(rebasing: bytes[range.start..<range.end])
        var searchStart = 0
        var previousEnd = 0
        while searchStart < subject.count,
            let match = expression.firstMatch(in: subject, from: searchStart, scratch), match.start >= previousEnd
        {
            collector.add(
                ByteRange(start: range.start + previousEnd, end: range.start + match.start), isMatch: false)
            collector.add(ByteRange(start: range.start + match.start, end: range.start + match.end), isMatch: true)
            previousEnd = match.end
            searchStart = match.end
            if match.isEmpty {
                // Go on behind the next character, or the same empty match would be found for ever.
                repeat { searchStart += 1 } while searchStart < subject.count && subject[searchStart] & 0xC0 == 0x80
            }
        }
        collector.add(ByteRange(start: range.start + previousEnd, end: range.end), isMatch: false)
    }
}
