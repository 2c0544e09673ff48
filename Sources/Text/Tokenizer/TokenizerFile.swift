// The values of a tokenizer.json, decoded and not yet checked against each other.

import FoundationEssentials

/// A parsed `tokenizer.json`, the format of Hugging Face's tokenizers library. What is not supported is refused by
/// name while decoding, with the path to it.
struct TokenizerFile: Decodable, Sendable {
    /// A token matched in the text before the model sees it.
    struct AddedToken: Decodable, Sendable {
        let id: UInt32
        /// What the text is searched for.
        let content: String
        /// Match only where no word character touches it.
        var singleWord = false
        /// Take the white space on its left with it.
        var stripsLeft = false
        /// Take the white space on its right with it.
        var stripsRight = false
        /// Match in the normalized text, in its own normalized form.
        var isNormalized = true
        /// Left out of decoded text on request.
        var isSpecial = false

        private enum CodingKeys: String, CodingKey {
            case id, content
            case singleWord = "single_word"
            case stripsLeft = "lstrip"
            case stripsRight = "rstrip"
            case isNormalized = "normalized"
            case isSpecial = "special"
        }

        /// A token matched as it stands in the raw text.
        init(id: UInt32, content: String, isSpecial: Bool) {
            self.id = id
            self.content = content
            self.isSpecial = isSpecial
            isNormalized = false
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            let id = try values.decode(Int.self, forKey: .id)
            guard 0..<TokenizerLimits.vocabularyCountMax ~= id else {
                throw TokenizerProblem(
                    field: TokenizerProblem.path(decoder.codingPath + [CodingKeys.id]),
                    "is \(id); ids go from 0 to \(TokenizerLimits.vocabularyCountMax - 1)")
            }
            self.id = UInt32(id)
            content = try values.decode(String.self, forKey: .content)
            isSpecial = try values.decodeIfPresent(Bool.self, forKey: .isSpecial) ?? false
            isNormalized = try values.decodeIfPresent(Bool.self, forKey: .isNormalized) ?? !isSpecial
            singleWord = try values.decodeIfPresent(Bool.self, forKey: .singleWord) ?? false
            stripsLeft = try values.decodeIfPresent(Bool.self, forKey: .stripsLeft) ?? false
            stripsRight = try values.decodeIfPresent(Bool.self, forKey: .stripsRight) ?? false
        }
    }

    let addedTokens: [AddedToken]
    let normalizer: NormalizerDefinition?
    let preTokenizer: PreTokenizerDefinition?
    let model: BytePairModelDefinition
    let postProcessor: PostProcessorDefinition?
    let decoder: DecoderDefinition?
    /// Whether ids without a token are as they should be.
    let mayHaveGaps: Bool

    private enum CodingKeys: String, CodingKey {
        case normalizer, model, decoder
        case addedTokens = "added_tokens"
        case preTokenizer = "pre_tokenizer"
        case postProcessor = "post_processor"
    }

    init(
        addedTokens: [AddedToken], normalizer: NormalizerDefinition?, preTokenizer: PreTokenizerDefinition?,
        model: BytePairModelDefinition, decoder: DecoderDefinition
    ) {
        self.addedTokens = addedTokens
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        self.model = model
        self.decoder = decoder
        postProcessor = nil
        mayHaveGaps = true
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        // The small parts first: what they refuse is then known before the vocabulary is read.
        addedTokens = try values.decodeIfPresent([AddedToken].self, forKey: .addedTokens) ?? []
        normalizer = try values.decodeIfPresent(NormalizerDefinition.self, forKey: .normalizer)
        preTokenizer = try values.decodeIfPresent(PreTokenizerDefinition.self, forKey: .preTokenizer)
        postProcessor = try values.decodeIfPresent(PostProcessorDefinition.self, forKey: .postProcessor)
        self.decoder = try values.decodeIfPresent(DecoderDefinition.self, forKey: .decoder)
        model = try values.decode(BytePairModelDefinition.self, forKey: .model)
        mayHaveGaps = false
    }

    /// Decodes the bytes of a `tokenizer.json`.
    init(json: [UInt8]) throws {
        guard json.count <= TokenizerLimits.tokenizerFileBytesMax else {
            throw TokenizerProblem(
                "has \(json.count) bytes; the largest supported has \(TokenizerLimits.tokenizerFileBytesMax)")
        }
        do {
            self = try JSONDecoder().decode(TokenizerFile.self, from: Data(json))
        } catch let error as DecodingError {
            throw TokenizerProblem(error)
        }
    }
}

/// `model` of type BPE: tokens with their ids, and the pairs to merge, the most urgent first.
struct BytePairModelDefinition: Decodable, Sendable {
    /// The pairs in any of the ways files write them.
    enum Merges: Sendable {
        /// None are listed: two tokens merge when together they are a token, the one of the highest score first.
        /// A score for each id.
        case scores([Float])
        /// `"left right"`.
        case joined([String])
        /// `["left", "right"]`.
        case pairs([Pair])
    }

    /// Tokens and their ids, in no order. Filling arrays spares the making of a second dictionary of the whole
    /// vocabulary, a third of the time that reading it takes.
    struct Entries: Decodable, Sendable {
        private(set) var tokens: [String] = []
        /// As the file has them: not yet known to be in range.
        private(set) var ids: [Int] = []

        private struct Token: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(tokens: [String], ids: [Int]) {
            self.tokens = tokens
            self.ids = ids
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Token.self)
            let keys = values.allKeys
            tokens.reserveCapacity(keys.count)
            ids.reserveCapacity(keys.count)
            for key in keys {
                tokens.append(key.stringValue)
                ids.append(try values.decode(Int.self, forKey: key))
            }
        }
    }

    struct Pair: Decodable, Sendable {
        let left: String
        let right: String

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            left = try values.decode(String.self)
            right = try values.decode(String.self)
        }
    }

    let vocabulary: Entries
    let merges: Merges
    let unknownToken: String?
    /// Consecutive unknown characters become one unknown token.
    let fusesUnknown: Bool
    /// A character that is no token becomes the tokens `<0xHH>` of its bytes.
    let fallsBackToBytes: Bool
    /// A piece that is a token as a whole stands for itself, whatever the merges would make of it.
    let ignoresMerges: Bool

    private enum CodingKeys: String, CodingKey {
        case type, vocab, merges, dropout
        case unknownToken = "unk_token"
        case fusesUnknown = "fuse_unk"
        case fallsBackToBytes = "byte_fallback"
        case ignoresMerges = "ignore_merges"
        case continuingSubwordPrefix = "continuing_subword_prefix"
        case endOfWordSuffix = "end_of_word_suffix"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        // Old files leave the type out; only BPE has merges.
        let type = try values.decodeIfPresent(String.self, forKey: .type) ?? (values.contains(.merges) ? "BPE" : "?")
        guard type == "BPE" else {
            throw TokenizerProblem(unsupported: type, in: "model.type", supported: ["BPE"])
        }
        for key in [CodingKeys.continuingSubwordPrefix, .endOfWordSuffix] {
            guard try values.decodeIfPresent(String.self, forKey: key) ?? "" == "" else {
                throw TokenizerProblem(field: "model.\(key.stringValue)", "is not supported; it must be empty or null")
            }
        }
        guard try values.decodeIfPresent(Double.self, forKey: .dropout) ?? 0 == 0 else {
            throw TokenizerProblem(field: "model.dropout", "is for training and makes ids random; it must be null")
        }
        unknownToken = try values.decodeIfPresent(String.self, forKey: .unknownToken)
        fusesUnknown = try values.decodeIfPresent(Bool.self, forKey: .fusesUnknown) ?? false
        fallsBackToBytes = try values.decodeIfPresent(Bool.self, forKey: .fallsBackToBytes) ?? false
        ignoresMerges = try values.decodeIfPresent(Bool.self, forKey: .ignoresMerges) ?? false
        vocabulary = try values.decode(Entries.self, forKey: .vocab)
        merges = try Self.merges(of: values)
    }

    init(
        vocabulary: Entries, merges: Merges, unknownToken: String? = nil, fusesUnknown: Bool = false,
        fallsBackToBytes: Bool = false, ignoresMerges: Bool = false
    ) {
        self.vocabulary = vocabulary
        self.merges = merges
        self.unknownToken = unknownToken
        self.fusesUnknown = fusesUnknown
        self.fallsBackToBytes = fallsBackToBytes
        self.ignoresMerges = ignoresMerges
    }

    private static func merges(of values: KeyedDecodingContainer<CodingKeys>) throws -> Merges {
        // Which of the two it is shows in the first element; decoding the wrong one fails there, at once.
        if let joined = try? values.decode([String].self, forKey: .merges) {
            return .joined(joined)
        }
        return .pairs(try values.decode([Pair].self, forKey: .merges))
    }
}
