// The values of a tokenizer_config.json that matter for text: special tokens by role, and the chat template.

import FoundationEssentials

/// What `tokenizer_config.json` says beside `tokenizer.json`. Everything in it is optional.
struct TokenizerConfiguration: Decodable, Sendable {
    /// Whether the text is to begin with `bos_token`; nil leaves it to `tokenizer.json`.
    private(set) var addsBeginningToken: Bool?
    /// Whether the text is to end with `eos_token`; nil leaves it to `tokenizer.json`.
    private(set) var addsEndToken: Bool?
    /// The text of each special token by its role: `bos_token`, `eos_token`, `pad_token`, `unk_token`, ….
    private(set) var specialTokens: [String: String] = [:]
    /// The template for conversations; of several, the one named `default`.
    private(set) var chatTemplate: String?

    /// No configuration at all.
    init() {}

    init(
        addsBeginningToken: Bool?, addsEndToken: Bool?, specialTokens: [String: String], chatTemplate: String?
    ) {
        self.addsBeginningToken = addsBeginningToken
        self.addsEndToken = addsEndToken
        self.specialTokens = specialTokens
        self.chatTemplate = chatTemplate
    }

    /// Decodes the bytes of a `tokenizer_config.json`.
    init(json: [UInt8]) throws {
        guard json.count <= TokenizerLimits.configurationFileBytesMax else {
            throw TokenizerProblem(
                "has \(json.count) bytes; the largest supported has \(TokenizerLimits.configurationFileBytesMax)")
        }
        do {
            self = try JSONDecoder().decode(TokenizerConfiguration.self, from: Data(json))
        } catch let error as DecodingError {
            throw TokenizerProblem(error)
        }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        addsBeginningToken = try values.decodeIfPresent(Bool.self, forKey: Key("add_bos_token"))
        addsEndToken = try values.decodeIfPresent(Bool.self, forKey: Key("add_eos_token"))
        // Flags such as add_bos_token end in _token as well; they hold no text and are passed over.
        for key in values.allKeys where key.stringValue.hasSuffix("_token") {
            specialTokens[key.stringValue] = try? values.decode(TokenText.self, forKey: key).text
        }
        for role in ["bos_token", "eos_token"] where specialTokens[role] == nil {
            // Passed over as well; unless it is there and something else than text or null, which throws here.
            _ = try values.decodeIfPresent(TokenText.self, forKey: Key(role))
        }
        chatTemplate = try values.decodeIfPresent(Templates.self, forKey: Key("chat_template"))?.standard
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    /// `"<s>"` or `{"content": "<s>", …}`.
    private struct TokenText: Decodable {
        let text: String

        private enum CodingKeys: CodingKey {
            case content
        }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.text = text
            } else {
                text = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .content)
            }
        }
    }

    /// One template, or a list of named ones.
    private struct Templates: Decodable {
        let standard: String?

        private struct Named: Decodable {
            let name: String
            let template: String
        }

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let template = try? value.decode(String.self) {
                standard = template
            } else {
                standard = try value.decode([Named].self).first { $0.name == "default" }?.template
            }
        }
    }
}
