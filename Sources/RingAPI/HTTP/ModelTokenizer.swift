// The tokenizer of a model, wherever its files have it.

import Foundation
public import Text
public import Weights

extension Tokenizer {
    /// Reads the tokenizer of a model's directory or GGUF file.
    /// - Returns: `nil` where the model has none: then it takes and gives token ids alone.
    /// - Throws: ``Text/TokenizerError`` or ``Weights/CheckpointError``, a sentence that names the file.
    public static func of(_ checkpoint: Checkpoint, textDirectory: String) throws -> Tokenizer? {
        if FileManager.default.fileExists(atPath: textDirectory + "/tokenizer.json") {
            return try Tokenizer(modelDirectory: textDirectory)
        }
        return try checkpoint.metadata.flatMap(EmbeddedTokenizer.init).map { try Tokenizer($0) }
    }
}

extension EmbeddedTokenizer {
    private static let prefix = "tokenizer.ggml."
    /// A vocabulary without texts: there is a model, but no tokenizer.
    private static let none = "no_vocab"

    /// - Returns: `nil` when the file has no tokenizer.
    init?(_ metadata: GGUFMetadata) throws {
        guard let model = try metadata.text(Self.prefix + "model"), model != Self.none else { return nil }
        self.init(
            file: metadata.file.path, model: model, tokens: try metadata.texts(Self.prefix + "tokens") ?? [])
        pre = try metadata.text(Self.prefix + "pre")
        types = try metadata.integers(Self.prefix + "token_type") ?? []
        scores = try metadata.floats(Self.prefix + "scores") ?? []
        merges = try metadata.texts(Self.prefix + "merges") ?? []
        for (role, key) in [
            ("bos_token", "bos_token_id"), ("eos_token", "eos_token_id"), ("unk_token", "unknown_token_id"),
            ("pad_token", "padding_token_id"), ("eot_token", "eot_token_id"), ("eom_token", "eom_token_id"),
        ] {
            roles[role] = try metadata.integer(Self.prefix + key)
        }
        addsBeginningToken = try metadata.flag(Self.prefix + "add_bos_token")
        addsEndToken = try metadata.flag(Self.prefix + "add_eos_token")
        addsSpacePrefix = try metadata.flag(Self.prefix + "add_space_prefix")
        chatTemplate = try metadata.text("tokenizer.chat_template")
    }
}
