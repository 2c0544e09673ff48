// A tokenizer as GGUF files embed it, in the terms of tokenizer.json.

/// The `tokenizer.*` values of a GGUF file.
public struct EmbeddedTokenizer: Sendable {
    /// The file, as errors name it.
    public var file: String
    /// `tokenizer.ggml.model`: "gpt2" for byte-level pairs, "llama" for SentencePiece's.
    public var model: String
    /// `tokenizer.ggml.pre`: how text is cut before "gpt2" merges.
    public var pre: String?
    /// By id.
    public var tokens: [String]
    /// By id, as ``TokenType`` has them; empty when all are normal.
    public var types: [Int] = []
    /// By id, of "llama".
    public var scores: [Float] = []
    /// `"left right"`, the most urgent first, of "gpt2".
    public var merges: [String] = []
    /// Ids by role: `bos_token`, `eos_token`, `unk_token`, `pad_token`, and `eot_token` and `eom_token`, which end a
    /// turn.
    public var roles: [String: Int] = [:]
    public var addsBeginningToken: Bool?
    public var addsEndToken: Bool?
    public var addsSpacePrefix: Bool?
    public var chatTemplate: String?

    public init(file: String, model: String, tokens: [String]) {
        self.file = file
        self.model = model
        self.tokens = tokens
    }

    /// `tokenizer.ggml.token_type`.
    private enum TokenType: Int {
        case normal = 1
        case unknown
        case control
        case userDefined
        case unused
        case byte
    }

    private enum Model: String, CaseIterable {
        case bytePairs = "gpt2"
        case sentencePiece = "llama"
    }

    private static let blank = "\u{2581}"

    /// Tokens that end a text or a turn in the vocabularies of known models, where their files name only one of them.
    private static let endings: Set<String> = [
        "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
        "<|return|>", "<|call|>", "<｜end▁of▁sentence｜>",
    ]

    var endOfTextTokens: Set<UInt32> {
        var ids: Set<UInt32> = []
        for role in ["eos_token", "eot_token", "eom_token"] {
            if let id = roles[role].flatMap(UInt32.init(exactly:)), id < tokens.count { ids.insert(id) }
        }
        for (id, token) in tokens.enumerated() where type(of: id) == .control && Self.endings.contains(token) {
            ids.insert(UInt32(id))
        }
        return ids
    }

    func configuration() throws -> TokenizerConfiguration {
        var special: [String: String] = [:]
        for (role, id) in roles where id >= 0 {
            guard id < tokens.count else {
                throw TokenizerProblem(
                    field: "tokenizer.ggml.\(role)_id", "is \(id), but there are \(tokens.count) tokens")
            }
            special[role] = tokens[id]
        }
        let adds = try addsBeginningToken ?? (kind() == .sentencePiece || preTokenizer().addsBeginningToken)
        return TokenizerConfiguration(
            // Without such a token none can be put there, whatever is customary.
            addsBeginningToken: addsBeginningToken ?? (special["bos_token"] == nil ? nil : adds),
            addsEndToken: addsEndToken, specialTokens: special, chatTemplate: chatTemplate)
    }

    func definition() throws -> TokenizerFile {
        guard !tokens.isEmpty else { throw TokenizerProblem(field: "tokenizer.ggml.tokens", "is missing or empty") }
        guard types.isEmpty || types.count == tokens.count else {
            throw TokenizerProblem(
                field: "tokenizer.ggml.token_type", "has \(types.count) elements for \(tokens.count) tokens")
        }
        return switch try kind() {
        case .bytePairs: try bytePairs()
        case .sentencePiece: try sentencePiece()
        }
    }

    /// An error in the terms of tokenizer.json, in those of a GGUF file.
    static func renamed(_ error: TokenizerError) -> TokenizerError {
        func renamed(_ text: String) -> String {
            [
                ("model.merges", "tokenizer.ggml.merges"), ("model.vocab", "tokenizer.ggml.tokens"),
                ("added_tokens", "tokenizer.ggml.tokens"), ("tokenizer.json", "the file"),
            ].reduce(text) { $0.replacing($1.0, with: $1.1) }
        }
        return TokenizerError(
            file: error.file, field: error.field.map(renamed), problem: renamed(error.problem))
    }

    private func kind() throws -> Model {
        guard let kind = Model(rawValue: model) else {
            throw TokenizerProblem(
                unsupported: model, in: "tokenizer.ggml.model", supported: Model.allCases.map(\.rawValue))
        }
        return kind
    }

    private func preTokenizer() throws -> EmbeddedPreTokenizer {
        guard let pre else {
            throw TokenizerProblem(
                field: "tokenizer.ggml.pre",
                "is missing, so nothing says how text is cut; use a file that was converted since 2024")
        }
        return try EmbeddedPreTokenizer(pre)
    }

    private func type(of id: Int) -> TokenType {
        // Whether there is a type for each token is checked where the tokens are put together.
        id < types.count ? TokenType(rawValue: types[id]) ?? .normal : .normal
    }

    private func addedTokens() -> [TokenizerFile.AddedToken] {
        tokens.enumerated().compactMap { id, token in
            switch type(of: id) {
            case .control, .unknown: TokenizerFile.AddedToken(id: UInt32(id), content: token, isSpecial: true)
            case .userDefined: TokenizerFile.AddedToken(id: UInt32(id), content: token, isSpecial: false)
            case .normal, .unused, .byte: nil
            }
        }
    }

    /// The tokens that text can become by merging, or for want of better.
    private func entries() -> BytePairModelDefinition.Entries {
        let ids = tokens.indices.filter { id in
            switch type(of: id) {
            case .normal, .byte, .unknown: true
            case .control, .userDefined, .unused: false
            }
        }
        return BytePairModelDefinition.Entries(tokens: ids.map { tokens[$0] }, ids: ids)
    }

    private func bytePairs() throws -> TokenizerFile {
        let preTokenizer = try preTokenizer()
        return TokenizerFile(
            addedTokens: addedTokens(), normalizer: preTokenizer.normalizer, preTokenizer: preTokenizer.definition,
            model: BytePairModelDefinition(
                vocabulary: entries(), merges: .joined(merges), ignoresMerges: preTokenizer.ignoresMerges),
            decoder: .byteLevel)
    }

    private func sentencePiece() throws -> TokenizerFile {
        guard scores.count == tokens.count else {
            throw TokenizerProblem(
                field: "tokenizer.ggml.scores", "has \(scores.count) elements for \(tokens.count) tokens")
        }
        let addsPrefix = addsSpacePrefix ?? true
        let replacing = NormalizerDefinition.replace(.literal(" "), content: Self.blank)
        let unknown = tokens.indices.first { type(of: $0) == .unknown }
        return TokenizerFile(
            addedTokens: addedTokens(),
            normalizer: addsPrefix ? .sequence([.prepend(Self.blank), replacing]) : replacing, preTokenizer: nil,
            model: BytePairModelDefinition(
                vocabulary: entries(), merges: .scores(scores), unknownToken: unknown.map { tokens[$0] },
                fusesUnknown: true,
                fallsBackToBytes: true),
            decoder: .sequence(
                [.replace(Self.blank, content: " "), .byteFallback, .fuse] + (addsPrefix ? [.strip(" ", start: 1)] : [])
            ))
    }
}
