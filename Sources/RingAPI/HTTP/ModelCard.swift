// What the API must know of a model before any shard speaks: its config.json.

import Foundation

/// The sizes of a model. Shards check the rest of the configuration.
public struct ModelCard: Equatable, Sendable {
    public var layerCount: Int
    /// Columns of a hidden state.
    public var hiddenSize: Int
    public var vocabularySize: Int
    /// Longest sequence, prompt and answer together, in tokens.
    public var contextTokensMax: Int
    var endOfTextTokens: [UInt32]

    /// - Throws: ``ModelError`` when the configuration cannot be read.
    init(configurationJSON: Data, path: String) throws(ModelError) {
        do {
            let file = try JSONDecoder().decode(ConfigurationFile.self, from: configurationJSON)
            // Multimodal checkpoints keep the text model's sizes in a section of their own.
            let sizes = file.textConfig ?? file.sizes
            let standard = sizes.modelType == "gemma3_text" ? Sizes.gemma3 : Sizes()
            guard let layers = sizes.numHiddenLayers, let hidden = sizes.hiddenSize,
                let vocabulary = sizes.vocabSize ?? standard.vocabSize, layers > 0, hidden > 0, vocabulary > 0
            else {
                throw ModelError("\(path) lacks num_hidden_layers, hidden_size or vocab_size")
            }
            layerCount = layers
            hiddenSize = hidden
            vocabularySize = vocabulary
            contextTokensMax = sizes.maxPositionEmbeddings ?? standard.maxPositionEmbeddings ?? 2048
            endOfTextTokens = (sizes.eosTokenID ?? file.sizes.eosTokenID)?.ids ?? []
        } catch let error as ModelError {
            throw error
        } catch {
            throw ModelError("\(path) cannot be read: \(error)")
        }
    }

    private struct ConfigurationFile: Decodable {
        var sizes: Sizes
        var textConfig: Sizes?

        init(from decoder: any Decoder) throws {
            sizes = try Sizes(from: decoder)
            textConfig = try decoder.container(keyedBy: MemberName.self).read("text_config")
        }
    }

    private struct Sizes: Decodable {
        /// What published files of Gemma 3 leave out, as in transformers' Gemma3TextConfig.
        static let gemma3 = Sizes(vocabSize: 262_208, maxPositionEmbeddings: 131_072)

        var modelType: String?
        var numHiddenLayers: Int?
        var hiddenSize: Int?
        var vocabSize: Int?
        var maxPositionEmbeddings: Int?
        var eosTokenID: GenerationDefaults.TokenIDs?

        enum CodingKeys: String, CodingKey {
            case modelType = "model_type"
            case numHiddenLayers = "num_hidden_layers"
            case hiddenSize = "hidden_size"
            case vocabSize = "vocab_size"
            case maxPositionEmbeddings = "max_position_embeddings"
            case eosTokenID = "eos_token_id"
        }
    }
}

/// Why a model directory cannot be served, in one sentence.
public struct ModelError: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}
