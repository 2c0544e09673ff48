// The stages round the model as tokenizer.json defines them: normalizer, pre-tokenizer, post-processor, decoder.

/// `{"String": …}` or `{"Regex": …}`: what to look for.
enum PatternDefinition: Decodable, Sendable {
    case literal(String)
    case regex(String)

    private enum CodingKeys: String, CodingKey {
        case literal = "String"
        case regex = "Regex"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let regex = try values.decodeIfPresent(String.self, forKey: .regex) {
            self = .regex(regex)
        } else {
            self = .literal(try values.decode(String.self, forKey: .literal))
        }
    }
}

/// `normalizer`: what happens to the text before it is split.
enum NormalizerDefinition: Decodable, Sendable {
    case canonicalComposition
    case prepend(String)
    case replace(PatternDefinition, content: String)
    case sequence([NormalizerDefinition])

    private enum CodingKeys: String, CodingKey {
        case normalizers, prepend, pattern, content
    }

    init(from decoder: any Decoder) throws {
        let stage = try Stage(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch stage.type {
        case "NFC":
            self = .canonicalComposition
        case "Prepend":
            self = .prepend(try values.decode(String.self, forKey: .prepend))
        case "Replace":
            self = .replace(
                try values.decode(PatternDefinition.self, forKey: .pattern),
                content: try values.decode(String.self, forKey: .content))
        case "Sequence":
            self = .sequence(try values.decode([NormalizerDefinition].self, forKey: .normalizers))
        default:
            throw stage.unsupported(["NFC", "Prepend", "Replace", "Sequence"])
        }
    }
}

/// `pre_tokenizer`: how the text is cut into the pieces that the model sees one by one.
enum PreTokenizerDefinition: Decodable, Sendable {
    case split(PatternDefinition, SplitBehavior, inverted: Bool)
    case byteLevel(addsPrefixSpace: Bool, usesPattern: Bool)
    case digits(individually: Bool)
    case punctuation(SplitBehavior)
    case whitespace
    case whitespaceSplit
    case sequence([PreTokenizerDefinition])

    private enum CodingKeys: String, CodingKey {
        case pretokenizers, pattern, behavior, invert
        case addsPrefixSpace = "add_prefix_space"
        case usesPattern = "use_regex"
        case individualDigits = "individual_digits"
    }

    init(from decoder: any Decoder) throws {
        let stage = try Stage(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch stage.type {
        case "Split":
            self = .split(
                try values.decode(PatternDefinition.self, forKey: .pattern),
                try values.decode(SplitBehavior.self, forKey: .behavior),
                inverted: try values.decodeIfPresent(Bool.self, forKey: .invert) ?? false)
        case "ByteLevel":
            self = .byteLevel(
                addsPrefixSpace: try values.decodeIfPresent(Bool.self, forKey: .addsPrefixSpace) ?? true,
                usesPattern: try values.decodeIfPresent(Bool.self, forKey: .usesPattern) ?? true)
        case "Digits":
            self = .digits(individually: try values.decodeIfPresent(Bool.self, forKey: .individualDigits) ?? false)
        case "Punctuation":
            self = .punctuation(try values.decodeIfPresent(SplitBehavior.self, forKey: .behavior) ?? .isolated)
        case "Whitespace":
            self = .whitespace
        case "WhitespaceSplit":
            self = .whitespaceSplit
        case "Sequence":
            self = .sequence(try values.decode([PreTokenizerDefinition].self, forKey: .pretokenizers))
        default:
            throw stage.unsupported([
                "Split", "ByteLevel", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "Sequence",
            ])
        }
    }
}

/// `post_processor`: the special tokens put round the text.
enum PostProcessorDefinition: Decodable, Sendable {
    enum TemplatePiece: Decodable, Sendable {
        case specialToken(String)
        case text

        private struct Name: Decodable {
            let id: String
        }

        private enum CodingKeys: String, CodingKey {
            case specialToken = "SpecialToken"
            case sequence = "Sequence"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            if let token = try values.decodeIfPresent(Name.self, forKey: .specialToken) {
                self = .specialToken(token.id)
            } else {
                _ = try values.decode(Name.self, forKey: .sequence)
                self = .text
            }
        }
    }

    struct SpecialToken: Decodable, Sendable {
        /// As the file has them: not yet known to be tokens.
        let ids: [Int]
    }

    /// Moves offsets only, which nobody asks for here.
    case byteLevel
    case template([TemplatePiece], specialTokens: [String: SpecialToken])
    case sequence([PostProcessorDefinition])

    private enum CodingKeys: String, CodingKey {
        case processors, single
        case specialTokens = "special_tokens"
    }

    init(from decoder: any Decoder) throws {
        let stage = try Stage(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch stage.type {
        case "ByteLevel":
            self = .byteLevel
        case "TemplateProcessing":
            self = .template(
                try values.decode([TemplatePiece].self, forKey: .single),
                specialTokens: try values.decode([String: SpecialToken].self, forKey: .specialTokens))
        case "Sequence":
            self = .sequence(try values.decode([PostProcessorDefinition].self, forKey: .processors))
        default:
            throw stage.unsupported(["ByteLevel", "TemplateProcessing", "Sequence"])
        }
    }
}

/// `decoder`: how tokens become text again.
enum DecoderDefinition: Decodable, Sendable {
    case byteLevel
    case byteFallback
    case fuse
    case replace(String, content: String)
    case strip(Unicode.Scalar, start: Int)
    case sequence([DecoderDefinition])

    private enum CodingKeys: String, CodingKey {
        case decoders, pattern, content, start, stop
    }

    init(from decoder: any Decoder) throws {
        let stage = try Stage(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch stage.type {
        case "ByteLevel":
            self = .byteLevel
        case "ByteFallback":
            self = .byteFallback
        case "Fuse":
            self = .fuse
        case "Replace":
            guard case .literal(let text) = try values.decode(PatternDefinition.self, forKey: .pattern) else {
                throw TokenizerProblem(unsupported: "Regex", in: stage.field + ".pattern", supported: ["String"])
            }
            self = .replace(text, content: try values.decode(String.self, forKey: .content))
        case "Strip":
            let content = try values.decode(String.self, forKey: .content).unicodeScalars
            guard let scalar = content.first, content.count == 1 else {
                throw TokenizerProblem(field: stage.field + ".content", "must be one character")
            }
            guard try values.decodeIfPresent(Int.self, forKey: .stop) ?? 0 == 0 else {
                throw TokenizerProblem(field: stage.field + ".stop", "is not supported; it must be 0")
            }
            self = .strip(scalar, start: try values.decode(Int.self, forKey: .start))
        case "Sequence":
            self = .sequence(try values.decode([DecoderDefinition].self, forKey: .decoders))
        default:
            throw stage.unsupported(["ByteLevel", "ByteFallback", "Fuse", "Replace", "Strip", "Sequence"])
        }
    }
}

/// What all stages have: a type, and a place in the file.
private struct Stage {
    let type: String
    let field: String

    private enum CodingKeys: CodingKey {
        case type
    }

    init(_ decoder: any Decoder) throws {
        type = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .type)
        field = TokenizerProblem.path(decoder.codingPath) ?? ""
        guard decoder.codingPath.count <= 2 * TokenizerLimits.stageDepthMax else {
            throw TokenizerProblem(
                field: field, "is nested more than \(TokenizerLimits.stageDepthMax) deep")
        }
    }

    func unsupported(_ supported: [String]) -> TokenizerProblem {
        TokenizerProblem(unsupported: type, in: field + ".type", supported: supported)
    }
}
