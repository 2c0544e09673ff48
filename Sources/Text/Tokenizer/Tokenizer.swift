// Text to token ids and back, as a model's tokenizer.json or GGUF file says.

/// A model's tokenizer: byte-pair encoding as Hugging Face's `tokenizers` library does it, to the same ids.
///
/// Immutable; any number of threads may use one at once.
public final class Tokenizer: Sendable {
    /// The text of each special token by its role (`bos_token`, `eos_token`, `pad_token`, `unk_token`, …), as chat
    /// templates know them. Empty without a `tokenizer_config.json`.
    public let specialTokens: [String: String]
    /// The template for conversations, in Jinja: `chat_template.jinja`, or else `chat_template` of
    /// `tokenizer_config.json`; nil where the model has none.
    public let chatTemplate: String?
    /// One more than the largest id.
    public let vocabularyCount: Int
    /// The tokens after which a text is over, as far as the file with the vocabulary says which they are.
    public let endOfTextTokens: Set<UInt32>

    private let normalizer: TextNormalizer
    private let preTokenizer: PreTokenizer
    private let encoder: BytePairEncoder
    private let addedTokens: AddedTokens
    private let postProcessor: PostProcessor
    private let workspaces = EncodingWorkspacePool()
    let decoder: TokenDecoder

    /// Reads `tokenizer.json` of a model directory and, where they are there, `tokenizer_config.json` and
    /// `chat_template.jinja` beside it.
    ///
    /// - Throws: `TokenizerError`.
    public convenience init(modelDirectory: String) throws {
        let files = TokenizerDirectory(path: modelDirectory)
        let tokenizerFile = try files.tokenizer()
        let configuration = try files.configuration()
        let template = try files.chatTemplate()
        try self.init(
            tokenizerJSON: tokenizerFile.bytes, named: tokenizerFile.path, configurationJSON: configuration?.bytes,
            named: configuration?.path, chatTemplate: template)
    }

    /// Makes a tokenizer from the contents of a `tokenizer.json` and, where there is one, a `tokenizer_config.json`.
    ///
    /// - Throws: `TokenizerError`.
    public convenience init(tokenizerJSON: [UInt8], configurationJSON: [UInt8]?) throws {
        try self.init(
            tokenizerJSON: tokenizerJSON, named: TokenizerDirectory.tokenizerName,
            configurationJSON: configurationJSON, named: TokenizerDirectory.configurationName, chatTemplate: nil)
    }

    private convenience init(
        tokenizerJSON: [UInt8], named tokenizerName: String, configurationJSON: [UInt8]?,
        named configurationName: String?, chatTemplate: String?
    ) throws {
        let configurationName = configurationName ?? TokenizerDirectory.configurationName
        let configuration: TokenizerConfiguration
        do {
            configuration = try configurationJSON.map(TokenizerConfiguration.init) ?? TokenizerConfiguration()
        } catch let problem as TokenizerProblem {
            throw problem.error(inFile: configurationName)
        }
        try self.init(
            { try TokenizerFile(json: tokenizerJSON) }, named: tokenizerName, configuration, named: configurationName,
            chatTemplate: chatTemplate)
    }

    /// Makes a tokenizer from what a GGUF file says about it.
    ///
    /// - Throws: `TokenizerError`.
    public convenience init(_ embedded: EmbeddedTokenizer) throws {
        do {
            try self.init(
                { try embedded.definition() }, named: embedded.file, try embedded.configuration(),
                named: embedded.file, chatTemplate: nil, endOfTextTokens: embedded.endOfTextTokens)
        } catch let problem as TokenizerProblem {
            throw problem.error(inFile: embedded.file)
        } catch let error as TokenizerError {
            throw EmbeddedTokenizer.renamed(error)
        }
    }

    private init(
        _ definition: () throws -> TokenizerFile, named tokenizerName: String, _ configuration: TokenizerConfiguration,
        named configurationName: String, chatTemplate: String?, endOfTextTokens: Set<UInt32> = []
    ) throws {
        var postProcessor: PostProcessor
        do {
            let file = try definition()
            normalizer = try TextNormalizer(file.normalizer)
            preTokenizer = try PreTokenizer(file.preTokenizer)
            encoder = try BytePairEncoder(file.model, isByteLevel: preTokenizer.isByteLevel)
            addedTokens = try workspaces.withWorkspace { [encoder, normalizer] workspace in
                try AddedTokens(file.addedTokens, vocabulary: encoder.vocabulary, normalizer: normalizer, workspace)
            }
            if !file.mayHaveGaps {
                try Self.checkNoneLost(encoder, addedTokens, isByteLevel: preTokenizer.isByteLevel)
            }
            decoder = try TokenDecoder(file.decoder)
            postProcessor = try PostProcessor(file.postProcessor) { [addedTokens, encoder] id in
                addedTokens.content(of: id) != nil || encoder.vocabulary.content(of: id) != nil
            }
        } catch let problem as TokenizerProblem {
            throw problem.error(inFile: tokenizerName)
        }
        do {
            let id = { [addedTokens, encoder] (role: String) in
                configuration.specialTokens[role].flatMap { addedTokens.id(of: $0) ?? encoder.vocabulary.id(of: $0) }
            }
            try postProcessor.follow(configuration, beginningID: id("bos_token"), endID: id("eos_token"))
        } catch let problem as TokenizerProblem {
            throw problem.error(inFile: configurationName)
        }
        self.postProcessor = postProcessor
        self.endOfTextTokens = endOfTextTokens
        self.chatTemplate = chatTemplate ?? configuration.chatTemplate
        specialTokens = configuration.specialTokens
        vocabularyCount = max(encoder.vocabulary.count, addedTokens.count)
    }

    /// The text of the token that begins a text.
    public var bosToken: String? { specialTokens["bos_token"] }
    /// The text of the token that ends a text.
    public var eosToken: String? { specialTokens["eos_token"] }
    /// The id of `bosToken`.
    public var bosTokenID: UInt32? { bosToken.flatMap(id) }
    /// The id of `eosToken`.
    public var eosTokenID: UInt32? { eosToken.flatMap(id) }

    /// The token ids of a text. Added and special tokens that stand in the text become their ids.
    ///
    /// - Parameter addSpecialTokens: whether the tokens the model wants round a text (mostly one at its beginning)
    ///   are put there. Chat templates write them themselves.
    public func encode(_ text: String, addSpecialTokens: Bool) -> [UInt32] {
        var ids: [UInt32] = []
        var text = text
        text.withUTF8 { bytes in
            // English text has about four bytes a token; room for three saves most of the growing.
            ids.reserveCapacity(bytes.count / 3 + 8)
            if addSpecialTokens { ids += postProcessor.prefix }
            workspaces.withWorkspace { encode(bytes, $0, into: &ids) }
        }
        if addSpecialTokens { ids += postProcessor.suffix }
        return ids
    }

    /// The text of tokens. Ids that no token has leave nothing; bytes that are no text become U+FFFD.
    ///
    /// - Parameter skipSpecialTokens: whether special tokens leave no text.
    public func decode(_ ids: some Sequence<UInt32>, skipSpecialTokens: Bool) -> String {
        var stream = StreamingDecoder(tokenizer: self, skipSpecialTokens: skipSpecialTokens)
        var text: [UInt8] = []
        for id in ids { stream.push(id, to: &text) }
        return String(decoding: text, as: UTF8.self) + stream.finish()
    }

    /// The bytes a token stands for, which need not be whole characters; nil for an id that no token has.
    public func bytes(of id: UInt32) -> [UInt8]? {
        var bytes: [UInt8] = []
        return appendBytes(of: id, to: &bytes) ? bytes : nil
    }

    /// The id of an added token by its text or, failing that, of a vocabulary entry by its spelling there.
    public func id(of token: String) -> UInt32? {
        addedTokens.id(of: token) ?? encoder.vocabulary.id(of: token)
    }

    /// Whether a token is a special one, which decoding can leave out.
    public func isSpecial(_ id: UInt32) -> Bool {
        addedTokens.isSpecial(id)
    }

    /// Appends the bytes a token stands for. Returns false for an id that no token has.
    func appendBytes(of id: UInt32, to output: inout [UInt8]) -> Bool {
        if let content = addedTokens.content(of: id) {
            decoder.appendBytes(ofToken: content, to: &output)
        } else if let content = encoder.vocabulary.content(of: id) {
            decoder.appendBytes(ofToken: content, to: &output)
        } else {
            return false
        }
        return true
    }

    private func encode(
        _ text: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace, into ids: inout [UInt32]
    ) {
        addedTokens.forEachSegment(of: text, .raw) { segment in
            switch segment {
            case .token(let id):
                ids.append(id)
            case .text(let range):
                let normalized = normalizer.normalized(
                    UnsafeBufferPointer(rebasing: text[range.start..<range.end]), workspace)
                encodeNormalized(normalized, workspace, into: &ids)
            }
        }
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace, into ids: inout [UInt32]
    ) {
        addedTokens.forEachSegment(of: text, .normalized) { segment in
            switch segment {
            case .token(let id):
                ids.append(id)
            case .text(let range):
                let (bytes, pieces) = preTokenizer.pieces(
                    of: UnsafeBufferPointer(rebasing: text[range.start..<range.end]), workspace)
                for piece in pieces {
                    encoder.encode(
                        UnsafeBufferPointer(rebasing: bytes[piece.start..<piece.end]), workspace, into: &ids)
                }
            }
        }
    }

    /// Foundation's JSON decoder takes canonically equivalent keys for equal and keeps one of them. Byte-level
    /// vocabularies have no such tokens, whatever their text; others may, and a token lost in that way leaves a gap.
    private static func checkNoneLost(
        _ encoder: BytePairEncoder, _ addedTokens: AddedTokens, isByteLevel: Bool
    ) throws {
        guard !isByteLevel else { return }
        for id in 0..<UInt32(encoder.vocabulary.count)
        where encoder.vocabulary.content(of: id) == nil && addedTokens.content(of: id) == nil {
            throw TokenizerProblem(
                field: "model.vocab",
                "has no token with id \(id); tokens that are the same in Unicode's normal form are not supported")
        }
    }
}
