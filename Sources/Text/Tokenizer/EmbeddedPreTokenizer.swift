// How text is cut before byte pairs merge, by the names that GGUF files have for it.

/// What `tokenizer.ggml.pre` stands for: the stages of the tokenizer.json that the model was published with.
struct EmbeddedPreTokenizer {
    let definition: PreTokenizerDefinition
    private(set) var normalizer: NormalizerDefinition?
    /// A piece that is a token as a whole stands for itself.
    private(set) var ignoresMerges = false
    /// Whether texts begin with a token where the file does not say.
    private(set) var addsBeginningToken = false

    /// Names by what they stand for; those on a line are cut alike.
    private static let styles: [(names: [String], style: Style)] = [
        (["gpt-2", "phi-2"], .gpt2),
        (["starcoder", "refact", "smollm", "codeshell"], .gpt2WithDigits),
        (["llama-bpe", "llama3", "llama-v3", "falcon3", "lfm2", "midm-2.0"], .llama3),
        (["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], .digitTriples),
        (["qwen2"], .qwen2),
        (["deepseek-r1-qwen"], .singleDigits),
        (["qwen35"], .qwen35),
        (["tekken"], .tekken),
        (["gpt-4o", "llama4", "minimax-m2"], .gpt4o),
        (["deepseek-llm"], .deepSeekLLM),
        (["deepseek-coder"], .deepSeekCoder),
        (["deepseek-v3", "hunyuan-dense", "joyai-llm"], .deepSeekV3),
    ]

    private enum Style {
        case gpt2, gpt2WithDigits, llama3, digitTriples, qwen2, singleDigits, qwen35, tekken, gpt4o
        case deepSeekLLM, deepSeekCoder, deepSeekV3
    }

    /// - Throws: `TokenizerProblem` when the name is not known.
    init(_ name: String) throws {
        guard let style = Self.styles.first(where: { $0.names.contains(name) })?.style else {
            throw TokenizerProblem(
                unsupported: name, in: "tokenizer.ggml.pre", supported: Self.styles.flatMap(\.names).sorted())
        }
        switch style {
        case .gpt2:
            definition = .byteLevel(addsPrefixSpace: false, usesPattern: true)
        case .gpt2WithDigits:
            definition = .sequence([
                .digits(individually: true), .byteLevel(addsPrefixSpace: false, usesPattern: true),
            ])
        case .llama3:
            definition = Self.splitting([Self.words(digits: #"\p{N}{1,3}"#)])
            (ignoresMerges, addsBeginningToken) = (true, true)
        case .digitTriples:
            definition = Self.splitting([Self.words(digits: #"\p{N}{1,3}"#)])
        case .qwen2:
            definition = Self.splitting([Self.words(digits: #"\p{N}"#)])
            normalizer = .canonicalComposition
        case .singleDigits:
            definition = Self.splitting([Self.words(digits: #"\p{N}"#)])
        case .qwen35:
            definition = Self.splitting([
                #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"#
                    + Self.blanks
            ])
            normalizer = .canonicalComposition
        case .tekken:
            definition = Self.splitting([Self.casedWords(suffix: "", digits: #"\p{N}"#)])
            (ignoresMerges, addsBeginningToken) = (true, true)
        case .gpt4o:
            definition = Self.splitting([
                Self.casedWords(suffix: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?", digits: #"\p{N}{1,3}"#)
            ])
        case .deepSeekLLM:
            definition = Self.splitting(
                ["[\r\n]", #"\s?["# + Self.deepSeekLetters + "]+", #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$"#, Self.asian],
                then: [.digits(individually: true)])
        case .deepSeekCoder:
            definition = Self.splitting(
                ["[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#, Self.asian], then: [.digits(individually: true)])
        case .deepSeekV3:
            definition = Self.splitting([
                #"\p{N}{1,3}"#, "[一-龥\u{3040}-ゟ゠-ヿ]+",
                ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
                    + #"| ?[\p{P}\p{S}]+[\r\n]*"# + Self.blanks,
            ])
        }
    }

    /// Each pattern cuts what the ones before left; then bytes.
    private static func splitting(_ patterns: [String], then others: [PreTokenizerDefinition] = [])
        -> PreTokenizerDefinition
    {
        .sequence(
            patterns.map { .split(.regex($0), .isolated, inverted: false) } + others
                + [.byteLevel(addsPrefixSpace: false, usesPattern: false)])
    }

    /// How most patterns end: line ends with the blanks before them, blanks but the one before a word, other blanks.
    private static let blanks = #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// Contractions, words with what stands before them, digits, signs.
    private static func words(digits: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*"# + blanks
    }

    /// Words that begin where lower case ends.
    private static func casedWords(suffix: String, digits: String) -> String {
        let before = #"[^\r\n\p{L}\p{N}]?"#
        let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
        let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
        return "\(before)\(upper)*\(lower)+\(suffix)|\(before)\(upper)+\(lower)*\(suffix)|\(digits)"
            + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + blanks
    }

    /// What DeepSeek's first vocabularies keep together without blanks.
    private static let asian = "[一-龥\u{800}-一가-\u{D7FF}]+"

    /// What they take for letters of words: those with case that Unicode had at the time.
    private static let deepSeekLetters: String = {
        """
        0041-005A 0061-007A 00B5 00C0-00D6 00D8-00F6 00F8-01BA 01BC-01BF 01C4-0293 0295-02AF 0370-0373 0376 0377
        037B-037D 037F 0386 0388-038A 038C 038E-03A1 03A3-03F5 03F7-0481 048A-052F 0531-0556 10A0-10C5 13A0-13F5
        13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D
        1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB
        1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139
        213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F
        A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB
        10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
        """.split { $0 == " " || $0 == "\n" }.map { range in
            range.split(separator: "-")
                .compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init).map(String.init) }
                .joined(separator: "-")
        }.joined()
    }()
}
