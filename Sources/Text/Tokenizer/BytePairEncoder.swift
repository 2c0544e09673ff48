// Turns a piece of text into tokens by merging pairs, the most urgent first.

/// A byte-pair model: its vocabulary, its merges, and what stands for text it does not know.
struct BytePairEncoder: Sendable {
    /// What a piece is made of before anything merges.
    private enum Alphabet: Sendable {
        /// [byte] its token, in a byte-level vocabulary.
        case bytes([UInt32?])
        /// Characters looked up in the vocabulary; [byte] the token `<0xHH>` for what is not found there.
        case characters(fallback: [UInt32]?)
    }

    let vocabulary: Vocabulary
    private let merges: MergeTable
    private let alphabet: Alphabet
    private let unknownID: UInt32?
    private let fusesUnknown: Bool
    private let ignoresMerges: Bool

    /// - Throws: `TokenizerProblem` naming the field of the model that is wrong.
    init(_ model: BytePairModelDefinition, isByteLevel: Bool) throws {
        vocabulary = try Vocabulary(model.vocabulary)
        merges = try MergeTable(model, vocabulary: vocabulary)
        fusesUnknown = model.fusesUnknown
        ignoresMerges = model.ignoresMerges
        unknownID = model.unknownToken.flatMap { [vocabulary] in vocabulary.id(of: $0) }
        if let token = model.unknownToken, unknownID == nil {
            throw TokenizerProblem(field: "model.unk_token", "is \(quoted(token)), which model.vocab does not have")
        }
        if isByteLevel {
            alphabet = .bytes(ByteLevelAlphabet.scalars.map { [vocabulary] in vocabulary.id(of: String($0)) })
        } else {
            let tokens = (UInt8.min...UInt8.max).compactMap { [vocabulary] in vocabulary.id(of: Self.fallback($0)) }
            alphabet = .characters(fallback: model.fallsBackToBytes && tokens.count == 256 ? tokens : nil)
        }
    }

    /// The token for one byte in a vocabulary of characters: `<0x0A>`.
    private static func fallback(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(byte < 16 ? "0" : "")\(digits)>"
    }

    /// Appends the tokens of one piece (valid UTF-8, not empty).
    @inline(__always)
    func encode(
        _ piece: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace, into output: inout [UInt32]
    ) {
        if workspace.cache.appendIDs(of: piece, to: &output) { return }
        let start = output.count
        encodeUncached(piece, workspace.merging, into: &output)
        workspace.cache.remember(piece, output[start...])
    }

    @inline(never)
    private func encodeUncached(
        _ piece: UnsafeBufferPointer<UInt8>, _ workspace: MergingWorkspace, into output: inout [UInt32]
    ) {
        if ignoresMerges, let id = wholeToken(piece) {
            output.append(id)
            return
        }
        workspace.symbols.removeAll()
        switch alphabet {
        case .bytes(let tokens):
            for byte in piece { append(tokens[Int(byte)], to: workspace.symbols) }
        case .characters(let fallback):
            appendCharacters(piece, fallback: fallback, to: workspace.symbols)
        }
        workspace.mergeSymbols(by: merges)
        output.append(contentsOf: workspace.symbols.elements)
    }

    /// The token that is exactly this piece.
    private func wholeToken(_ piece: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard case .bytes = alphabet else { return vocabulary.id(of: piece) }
        var spelling: [UInt8] = []
        spelling.reserveCapacity(2 * piece.count)
        ByteLevelAlphabet.appendSpelling(of: piece, to: &spelling)
        return spelling.withUnsafeBufferPointer { vocabulary.id(of: $0) }
    }

    private func appendCharacters(
        _ piece: UnsafeBufferPointer<UInt8>, fallback: [UInt32]?, to symbols: ScratchBuffer<UInt32>
    ) {
        var start = 0
        while start < piece.count {
            var end = start + 1
            while end < piece.count && piece[end] & 0xC0 == 0x80 { end += 1 }
            if let id = vocabulary.id(of: UnsafeBufferPointer(rebasing: piece[start..<end])) {
                symbols.append(id)
            } else if let fallback {
                for byte in piece[start..<end] { symbols.append(fallback[Int(byte)]) }
            } else {
                append(nil, to: symbols)
            }
            start = end
        }
    }

    /// Appends a token or, for nil, the unknown token; where the model has none, what it does not know is dropped.
    @inline(__always)
    private func append(_ id: UInt32?, to symbols: ScratchBuffer<UInt32>) {
        if let id {
            symbols.append(id)
        } else if let unknownID, !(fusesUnknown && symbols.elements.last == unknownID) {
            symbols.append(unknownID)
        }
    }
}
