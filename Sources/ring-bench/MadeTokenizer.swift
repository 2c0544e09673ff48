// A large tokenizer and texts to try it on, made from fixed seeds: the repository has no large ones.

import FoundationEssentials

/// A byte-level tokenizer of 150,000 tokens: a tokenizer.json of some 11 MB, as large models have.
enum MadeTokenizer {
    private static let tokenCount = 150_000
    private static let tokenLengthMax = 14

    /// Writes tokenizer.json into `folder`, which it returns.
    static func write(into folder: String) throws -> String {
        var random = SplitMix64(state: 1)
        var tokens = letters
        var known = Set(tokens)
        var merges: [(String, String)] = []
        while tokens.count < tokenCount {
            // Mostly of what came early, as in vocabularies that were learned.
            let left = tokens[Int(random.next() % UInt64(tokens.count))]
            let right = tokens[Int(random.next() % 2000) % tokens.count]
            let token = left + right
            guard token.unicodeScalars.count <= tokenLengthMax, known.insert(token).inserted else { continue }
            tokens.append(token)
            merges.append((left, right))
        }
        let entries = tokens.enumerated().map { "      \(quoted($1)): \($0)" }.joined(separator: ",\n")
        let pairs = merges.map { "      [\(quoted($0)), \(quoted($1))]" }
        let byteLevel = #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}"#
        let text = """
            {
              "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
              "normalizer": {"type": "NFC"},
              "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex": \(quoted(pattern))}},
                \(byteLevel)
              ]},
              "post_processor": null, "decoder": \(byteLevel),
              "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": {
            \(entries)
                },
                "merges": [
            \(pairs.joined(separator: ",\n"))
                ]
              }
            }
            """
        try Data(text.utf8).write(to: URL(filePath: folder + "/tokenizer.json"))
        return folder
    }

    /// How published models of this kind cut text.
    private static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
        + #"\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// The characters that byte-level vocabularies write bytes with: printable ones for themselves, the rest from
    /// U+0100 on.
    private static let letters: [String] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).compactMap { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return String(Unicode.Scalar(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next).map { String($0) }
            }
        }
    }()

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// Texts of a megabyte: prose, code, many scripts, and one long line without a blank.
enum MadeTexts {
    private static let bytes = 1 << 20

    /// Writes the texts into `folder` and returns their paths.
    static func write(into folder: String) throws -> [String] {
        let prose = "the of and to in a is that for it was on are as with they be at one have this from or had by word "
        let code =
            "let x = value ?? 0\n    if (i < count) { return self.items[i] }\n\tfor _ in 0..<n { total += f(x) }\n"
        let scripts = "语言 模型 你好 世界 日本語 テキスト 한국어 문장 Привет мир العربية שלום हिन्दी ελληνικά Übergröße café 😀 "
        return try [
            ("prose.txt", mixed(prose, " ", seed: 2)), ("code.txt", mixed(code, " ", seed: 3)),
            ("scripts.txt", mixed(scripts, " ", seed: 4)), ("line.txt", mixed(prose + code, "", seed: 5)),
        ].map { name, text in
            let path = folder + "/" + name
            try Data(text.utf8).write(to: URL(filePath: path))
            return path
        }
    }

    /// Words of `sample` in any order, some of them with others' letters.
    private static func mixed(_ sample: String, _ separator: String, seed: UInt64) -> String {
        var random = SplitMix64(state: seed)
        let words = sample.split(separator: " ").map(String.init)
        let letters = Array(sample.unicodeScalars.filter { $0 != " " })
        var text = ""
        while text.utf8.count < bytes {
            text += words[Int(random.next() % UInt64(words.count))]
            for _ in 0..<random.next() % 4 {
                text.unicodeScalars.append(letters[Int(random.next() % UInt64(letters.count))])
            }
            text += separator
        }
        return text
    }
}

private struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
